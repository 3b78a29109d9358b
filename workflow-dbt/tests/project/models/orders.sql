select id, customer, region, amount from {{ ref("raw_orders") }}
