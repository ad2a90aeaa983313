module cairn.local/devcluster/crds

go 1.26.0

require (
	github.com/kubernetes-csi/external-snapshotter/client/v8 v8.7.0
	sigs.k8s.io/gateway-api v1.4.1
)
