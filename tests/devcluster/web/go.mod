module cairn.local/devcluster/web

go 1.26.0
