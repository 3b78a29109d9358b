select * from read_parquet('../data/sales.parquet')
