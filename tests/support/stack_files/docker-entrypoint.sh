#!/bin/sh
# What the image of PostgreSQL does before it serves: a cluster and the roles, where there is none.
#
# Sockets are in PGHOST (/tmp): an old runc gives a folder in memory below /run a mode of its own.
set -eu
set -- "$@" -c "unix_socket_directories=$PGHOST"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  # shellcheck disable=SC2086 # several words
  initdb --pgdata "$PGDATA" --username postgres --pwfile "$POSTGRES_PASSWORD_FILE" \
    --auth scram-sha-256 $POSTGRES_INITDB_ARGS
  PGPASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
  export PGPASSWORD
  given=$*
  pg_ctl --pgdata "$PGDATA" --wait --options "${given#postgres} -c listen_addresses=" start
  for file in /docker-entrypoint-initdb.d/*.sql; do
    psql --username postgres --no-psqlrc --set ON_ERROR_STOP=1 --file "$file"
  done
  pg_ctl --pgdata "$PGDATA" --wait stop
  unset PGPASSWORD
fi
exec "$@"
