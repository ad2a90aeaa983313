module cairn.local/devcluster/guard

go 1.26.0
