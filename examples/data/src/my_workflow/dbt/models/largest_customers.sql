select
    name,
    count(*) as records,
    sum(amount) as amount
from {{ source('tables', 'my_workflow') }}
group by 1
order by amount desc
limit 10
