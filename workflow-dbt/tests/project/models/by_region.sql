{{ config(materialized="ephemeral") }} select region, count(*) as orders from {{ ref("orders") }} group by 1
