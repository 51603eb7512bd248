#!/bin/sh
# A Sentinel: watches the leader, and with another one's consent puts a follower in its place. A
# leader that is gone is replaced within 10 seconds: it is missed for 3, and the rest is the vote.
#
#   NAME          by which the others reach it
#   FIRST_LEADER  which server leads at first; later the Sentinel's own file says
set -eu
: "${NAME:?by which the others reach it}" "${FIRST_LEADER:?which server leads at first}"
port=${PORT:-26379}
service=${SERVICE:-holdfast}
secrets=${SECRETS_DIR:-/run/secrets}
data=${DATA_DIR:-/data}
password=$(cat "$secrets/redis_sentinel_password")

umask 077
# It writes into its file what it learns, so the file is its own and is made once.
if [ ! -s "$data/sentinel.conf" ]; then
  cat >"$data/sentinel.conf" <<CONF
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $NAME
sentinel announce-port $port
sentinel monitor $service $FIRST_LEADER ${FIRST_LEADER_PORT:-6379} 2
sentinel auth-user $service sentinel
sentinel down-after-milliseconds $service ${DOWN_AFTER_MS:-3000}
sentinel failover-timeout $service 10000
sentinel parallel-syncs $service 1
CONF
fi
# The password is said anew at each start, so that another one needs a restart and no file.
{
  grep -Ev "^(requirepass|user default|sentinel (auth-pass|sentinel-pass)) " "$data/sentinel.conf"
  echo "sentinel auth-pass $service \"$password\""
  echo "sentinel sentinel-pass \"$password\""
  echo "requirepass \"$password\""
} >"$data/sentinel.conf.new"
mv "$data/sentinel.conf.new" "$data/sentinel.conf"
set -- --port "$port" --dir "$data"
[ -z "${BIND:-}" ] || set -- "$@" --bind "$BIND"
exec redis-server "$data/sentinel.conf" --sentinel "$@"
