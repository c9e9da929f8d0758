// One cluster at a time: it is many processes already.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
