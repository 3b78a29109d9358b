select * from read_parquet('{{ root }}../data/{{ crate_name }}.parquet')
