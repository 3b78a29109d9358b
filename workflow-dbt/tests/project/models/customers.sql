{{ config(materialized="table") }}

select customer, sum(amount) as total
{% if env_var("SHOP_SLOW", "") %}
    , (select count(*) from range(10000000) a, range(10000000) b where a.range % 7 = b.range % 11) as slow
{% endif %}
from {{ ref("orders") }}
group by 1
