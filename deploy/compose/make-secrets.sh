#!/bin/sh
# The secrets of deploy/compose/prod.yml, those that are not there yet: passwords by chance, an
# authority of this installation alone with PostgreSQL's certificate, and a certificate for the edge
# that nobody but you trusts (put your own into tls/: fullchain.pem and privkey.pem).
#
#   deploy/compose/make-secrets.sh [NAME-OF-THE-EDGE]
#
# Nothing that is there is written anew. Both folders are closed to others; the files in them are
# readable, because each container reads them as a user of its own: those that you put into tls/
# yourself, too. Your exchange's key: write exchange_api_key and exchange_api_secret yourself.
set -eu
cd "$(dirname "$0")"
name=${1:-localhost}
secrets=${SECRETS_DIR:-./secrets}
tls=${TLS_DIR:-./tls}
command -v openssl >/dev/null || { echo "seen: no openssl; expected: it; do: apt-get install openssl" >&2; exit 2; }
umask 022
mkdir -p "${BACKUPS_DIR:-./backups}"
for folder in "$secrets" "$tls"; do
  [ -d "$folder" ] || { mkdir -p "$folder" && chmod 700 "$folder"; }
  chmod o= "$folder"
done

made() { [ -s "$secrets/$1" ]; }
random() { made "$1" || openssl rand -hex 24 | tr -d '\n' >"$secrets/$1"; }
for secret in db_password db_report_password identity_key jwt_secret postgres_password \
  postgres_monitor_password postgres_replication_password \
  redis_password redis_replica_password redis_sentinel_password \
  redis_monitor_password grafana_admin_password elastic_password kibana_password; do
  random "$secret"
done
[ -s "$secrets/redis_exporter_passwords" ] || printf '{"redis://monitor@redis:6379": "%s"}' \
  "$(cat "$secrets/redis_monitor_password")" >"$secrets/redis_exporter_passwords"
for empty in exchange_api_key exchange_api_secret canary_api_key canary_api_secret pagerduty_routing_key slack_api_url smtp_password; do
  [ -e "$secrets/$empty" ] || : >"$secrets/$empty"
done

if ! made postgres_tls_certificate; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  # The authority's key is thrown away: it signs this one certificate.
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
    -subj "/CN=holdfast internal" -keyout "$work/ca.key" -out "$secrets/ca_certificate" 2>/dev/null
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=postgres" \
    -keyout "$secrets/postgres_tls_key" -out "$work/request" 2>/dev/null
  # `first-site` is what deploy/compose/dr.yml calls it, wherever it is.
  printf 'subjectAltName=DNS:postgres,DNS:first-site,DNS:localhost,IP:127.0.0.1\n' >"$work/names"
  openssl x509 -req -in "$work/request" -CA "$secrets/ca_certificate" -CAkey "$work/ca.key" \
    -CAcreateserial -CAserial "$work/serial" -days 3650 -extfile "$work/names" \
    -out "$secrets/postgres_tls_certificate" 2>/dev/null
fi
if [ ! -s "$tls/fullchain.pem" ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 825 \
    -subj "/CN=$name" -addext "subjectAltName=DNS:$name,DNS:localhost" \
    -keyout "$tls/privkey.pem" -out "$tls/fullchain.pem" 2>/dev/null
  chmod 444 "$tls/privkey.pem" "$tls/fullchain.pem"
  echo "tls/fullchain.pem is signed by itself: browsers will ask. Put your own there." >&2
fi
chmod 444 "$secrets"/*
for secret in exchange_api_key exchange_api_secret; do
  made "$secret" || echo "write your exchange's key: $secrets/$secret is empty" >&2
done
