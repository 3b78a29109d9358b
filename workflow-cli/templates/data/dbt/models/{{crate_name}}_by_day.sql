select
    cast(created_at as date) as day,
    count(*) as records,
    sum(amount) as amount
from {% raw %}{{ source('tables', '{% endraw %}{{ crate_name }}{% raw %}') }}{% endraw %}
group by 1
