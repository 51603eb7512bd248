#!/bin/sh
# A server of Redis: the leader when nobody leads yet, else a follower of whoever does.
#
#   NAME        by which the others reach it; the first leader is FIRST_LEADER
#   SENTINELS   host:port of each, separated by spaces: asked who leads now
#   SECRETS_DIR redis_password, redis_replica_password, redis_sentinel_password, redis_monitor_password
#
# Users are made from the secrets at each start, so that a new password needs a restart and no file.
set -eu
: "${NAME:?by which the others reach it}" "${FIRST_LEADER:?which server leads at first}"
port=${PORT:-6379}
service=${SERVICE:-holdfast}
secrets=${SECRETS_DIR:-/run/secrets}
work=${WORK_DIR:-/tmp}
here=$(dirname "$0")

hashed() { printf '%s' "$(cat "$secrets/$1")" | sha256sum | cut -d ' ' -f 1; }
umask 077
{
  echo "user default off"
  echo "user holdfast on #$(hashed redis_password) ~holdfast:* &holdfast:* +@all -@admin -@dangerous +info"
  echo "user replica on #$(hashed redis_replica_password) +psync +replconf +ping"
  # As Redis's own document about Sentinel lists it.
  echo "user sentinel on #$(hashed redis_sentinel_password) allchannels +multi +slaveof +ping +exec +subscribe +config|rewrite +role +publish +info +client|setname +client|kill +script|kill"
  echo "user monitor on #$(hashed redis_monitor_password) allkeys -@all +@connection +ping +info +role +dbsize +slowlog +latency +memory +config|get +client|list +command"
} >"$work/users.acl"

# Whoever comes back follows: the first of the Sentinels that knows a leader is believed.
leader=$FIRST_LEADER leader_port=${FIRST_LEADER_PORT:-$port}
for sentinel in ${SENTINELS:-}; do
  told=$(REDISCLI_AUTH=$(cat "$secrets/redis_sentinel_password") timeout 2 redis-cli --no-auth-warning \
    -h "${sentinel%:*}" -p "${sentinel##*:}" sentinel get-master-addr-by-name "$service" 2>/dev/null) || continue
  # shellcheck disable=SC2086 # host and port, a line each
  set -- $told
  if [ $# -eq 2 ]; then leader=$1 leader_port=$2; break; fi
done

# All in one file of its own: it is rewritten at a failover, and no password is in a list of processes.
{
  cat "$here/redis.conf"
  echo "port $port"
  echo "dir ${DATA_DIR:-/data}"
  echo "aclfile $work/users.acl"
  echo "replica-announce-ip $NAME"
  echo "replica-announce-port $port"
  echo "masteruser replica"
  echo "masterauth $(cat "$secrets/redis_replica_password")"
  [ -z "${BIND:-}" ] || echo "bind $BIND"
  [ "$leader:$leader_port" = "$NAME:$port" ] || echo "replicaof $leader $leader_port"
} >"$work/redis.conf"
exec redis-server "$work/redis.conf"
