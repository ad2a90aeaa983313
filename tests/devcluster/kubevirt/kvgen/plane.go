// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"os"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	extensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"kubevirt.io/kubevirt/pkg/virt-operator/resource/generate/components"
	"kubevirt.io/kubevirt/pkg/virt-operator/resource/generate/rbac"
)

// What virt-operator would make, for virt-api and virt-controller as processes beside an API server.

func printDefinitions(flags *flag.FlagSet, args []string) {
	check(flags.Parse(args))
	for _, definition := range []func() (*extensionsv1.CustomResourceDefinition, error){
		components.NewVirtualMachineInstanceCrd,
		components.NewVirtualMachineCrd,
		components.NewPresetCrd,
		components.NewReplicaSetCrd,
		components.NewVirtualMachineInstanceMigrationCrd,
		components.NewKubeVirtCrd,
		components.NewVirtualMachinePoolCrd,
		components.NewVirtualMachineSnapshotCrd,
		components.NewVirtualMachineSnapshotContentCrd,
		components.NewVirtualMachineRestoreCrd,
		components.NewVirtualMachineExportCrd,
		components.NewVirtualMachineBackupCrd,
		components.NewVirtualMachineBackupTrackerCrd,
		components.NewVirtualMachineInstancetypeCrd,
		components.NewVirtualMachineClusterInstancetypeCrd,
		components.NewVirtualMachinePreferenceCrd,
		components.NewVirtualMachineClusterPreferenceCrd,
		components.NewMigrationPolicyCrd,
		components.NewVirtualMachineCloneCrd,
	} {
		show(must(definition()))
	}
}

func printRoles(flags *flag.FlagSet, args []string) {
	check(flags.Parse(args))
	for _, object := range rbac.GetAllCluster() {
		show(object)
	}
	for _, object := range rbac.GetAllApiServer(namespace) {
		show(object)
	}
	for _, object := range rbac.GetAllController(namespace, false) {
		show(object)
	}
}

func printWebhooks(flags *flag.FlagSet, args []string) {
	url := flags.String("url", "", "where virt-api serves")
	ca := flags.String("ca", "", "file with the CA of its certificate")
	check(flags.Parse(args))
	bundle := must(os.ReadFile(*ca))
	byURL := func(client *admissionv1.WebhookClientConfig) {
		where := *url + *client.Service.Path
		*client = admissionv1.WebhookClientConfig{URL: &where, CABundle: bundle}
	}
	mutating := components.NewVirtAPIMutatingWebhookConfiguration(namespace)
	for i := range mutating.Webhooks {
		byURL(&mutating.Webhooks[i].ClientConfig)
	}
	show(mutating)
	validating := components.NewVirtAPIValidatingWebhookConfiguration(namespace)
	for i := range validating.Webhooks {
		byURL(&validating.Webhooks[i].ClientConfig)
	}
	show(validating)
}
