#!/bin/sh
# Whether an installation is well: scripts/deploy/health-check.sh local|staging|production [WORD…]
#
# Asks each process for /livez, /ready and /health, and looks the installation over as `holdfast
# doctor` does, which says what to do. Further words go there, such as --live or --config FILE.
# Exit code: 0 well, 1 something is not, 2 wrong usage, 4 all that is wrong is no answer.
#
# HEALTH_URLS   roots of the processes, separated by blanks: the API's, and the metrics ports'
# HEALTH_WAIT_S how long processes that start are waited for
set -eu

case "${1-}" in
  local) urls=${HEALTH_URLS-http://127.0.0.1:8080} wait_s=${HEALTH_WAIT_S-30} ;;
  staging | production) urls=${HEALTH_URLS-} wait_s=${HEALTH_WAIT_S-120} ;;
  *)
    echo "seen: \"${1-}\"; expected: local, staging or production; do: name one of them" >&2
    exit 2
    ;;
esac
if [ -z "$urls" ]; then
  echo "seen: no HEALTH_URLS; expected: the processes of $1; do: export HEALTH_URLS=https://…" >&2
  exit 2
fi
shift

here=$(cd "$(dirname "$0")/../.." && pwd)
holdfast=$here/.venv/bin/holdfast
[ -x "$holdfast" ] || holdfast=holdfast
for url in $urls; do
  set -- --url "$url" "$@"
done
exec "$holdfast" doctor --wait-s "$wait_s" "$@"
