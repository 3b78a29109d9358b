select
    cast(created_at as date) as day,
    count(*) as records,
    sum(amount) as amount
from {{ source('tables', 'sales') }}
group by 1
