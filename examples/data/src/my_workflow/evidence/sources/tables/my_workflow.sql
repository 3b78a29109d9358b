select * from read_parquet('../../../data/my_workflow.parquet')
