select
    cast(created_at as date) as day,
    count(*) as records,
    sum(amount) as amount
from {{ source('tables', 'my_workflow') }}
group by 1
