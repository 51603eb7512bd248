#!/bin/sh
# Gives Kibana its own user's password and logs an end; runs once, and may run again.
set -eu

elasticsearch=http://elasticsearch:9200

# Names and passwords go in by stdin: what stands in an argument is in every list of processes.
call() {
  printf 'user = "elastic:%s"\n' "$(cat /run/secrets/elastic_password)" |
    curl --silent --show-error --fail --config - --header 'Content-Type: application/json' "$@"
}

printf '{"password":"%s"}' "$(cat /run/secrets/kibana_password)" > /tmp/password.json
call --request POST --data @/tmp/password.json \
  "$elasticsearch/_security/user/kibana_system/_password" > /dev/null
rm /tmp/password.json

# 31 days, as in Loki.
call --request PUT --data '{"template":{"lifecycle":{"data_retention":"31d"}},
  "index_patterns":["logs-holdfast-*"],"data_stream":{},"priority":500,
  "composed_of":["logs@mappings","logs@settings"]}' \
  "$elasticsearch/_index_template/holdfast" > /dev/null
echo "Elasticsearch knows Kibana's password, and keeps logs for 31 days."
