#!/bin/sh
# Tell Prometheus what a provider's month has cost so far, and what it may cost:
#
#   cloud-cost.sh PROVIDER BUDGET COST [FOLDER]
#
# BUDGET and COST are numbers in the currency of the bill. FOLDER is where node_exporter looks
# (--collector.textfile.directory), this one unless told. Run it once a day (docs/alerts.md#costs):
# after two days of silence CostBudget says that nobody tells any more.
set -eu

if [ $# -lt 3 ]; then
    echo "seen: $# words; expected: PROVIDER BUDGET COST; do: cloud-cost.sh aws 500 123.45" >&2
    exit 2
fi
provider=$1 budget=$2 cost=$3
folder=${4:-$(dirname "$0")}

case $provider in
    *[!a-z0-9-]* | '')
        echo "seen: '$provider'; expected: a-z, 0-9 and dashes; do: call the provider aws, or so" >&2
        exit 2
        ;;
esac
for number in "$budget" "$cost"; do
    if ! printf '%s\n' "$number" | grep -Eqx '[0-9]+(\.[0-9]+)?'; then
        echo "seen: '$number'; expected: an amount such as 123.45; do: look at what the bill said" >&2
        exit 2
    fi
done

file=$folder/$provider.cloud_cost.prom
umask 022
{
    echo '# HELP cloud_cost_month_to_date The bill of this month so far.'
    echo '# TYPE cloud_cost_month_to_date gauge'
    echo "cloud_cost_month_to_date{provider=\"$provider\"} $cost"
    echo '# HELP cloud_cost_budget What a month may cost.'
    echo '# TYPE cloud_cost_budget gauge'
    echo "cloud_cost_budget{provider=\"$provider\"} $budget"
} > "$file.new"
mv "$file.new" "$file" # whole or not at all
