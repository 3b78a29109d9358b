select r.name, b.orders from {{ ref("by_region") }} b join {{ source("files", "regions") }} r on r.id = b.region
