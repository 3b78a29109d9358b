select c.customer, c.total, (select count(*) from {{ ref("regions") }}) as regions from {{ ref("customers") }} c
