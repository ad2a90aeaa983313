// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	virtv1 "kubevirt.io/api/core/v1"

	"kubevirt.io/kubevirt/pkg/virt-operator/resource/generate/components"
	"kubevirt.io/kubevirt/pkg/virt-operator/resource/generate/rbac"
)

// printOperator: what virt-operator needs; it deploys everything else.
func printOperator(flags *flag.FlagSet, args []string) {
	image := flags.String("image", "", "operator, api, controller")
	nodeImage := flags.String("node-image", "", "handler, launcher")
	version := flags.String("version", "", "KubeVirt's version")
	check(flags.Parse(args))
	show(&corev1.Namespace{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{
			Name:   namespace,
			Labels: map[string]string{"kubevirt.io": "", "pod-security.kubernetes.io/enforce": "privileged"},
		},
	})
	show(must(components.NewKubeVirtCrd()))
	for _, object := range rbac.GetAllOperator(namespace) {
		show(object)
	}
	show(components.NewKubeVirtPriorityClassCR())
	i, n, v := *image, *nodeImage, *version
	registry := i[:strings.LastIndex(i, "/")]
	operator := components.NewOperatorDeployment(
		namespace, registry, "", v, "2", v, "", i, i, n, n, i, n, i, i, i, n, n, n, i, corev1.PullIfNotPresent)
	one := int32(1)
	operator.Spec.Replicas = &one
	operator.Spec.Template.Spec.Affinity = nil // wants a control plane's label
	container := &operator.Spec.Template.Spec.Containers[0]
	container.Image = i
	container.ReadinessProbe.InitialDelaySeconds, container.ReadinessProbe.PeriodSeconds = 1, 1
	show(operator)
}

// printConfiguration: the KubeVirt object, for guests without hardware virtualization.
func printConfiguration(flags *flag.FlagSet, args []string) {
	gates := flags.String("gates", "Snapshot,HotplugVolumes,DeclarativeHotplugVolumes,ExpandDisks,VMPersistentState,NodeRestriction", "feature gates")
	// One that the emulator has in full: with host-model no node would do for a migration.
	model := flags.String("cpu-model", "Westmere", "the guests' CPU model")
	check(flags.Parse(args))
	one := uint8(1)
	rollout := virtv1.VMRolloutStrategyLiveUpdate
	kubevirt := &virtv1.KubeVirt{
		TypeMeta:   metav1.TypeMeta{APIVersion: virtv1.GroupVersion.String(), Kind: "KubeVirt"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "kubevirt"},
	}
	kubevirt.Spec.ImagePullPolicy = corev1.PullIfNotPresent
	kubevirt.Spec.Infra = &virtv1.ComponentConfig{Replicas: &one}
	// Without it a live change of CPUs or memory waits for ever.
	kubevirt.Spec.WorkloadUpdateStrategy.WorkloadUpdateMethods = []virtv1.WorkloadUpdateMethod{virtv1.WorkloadUpdateMethodLiveMigrate}
	// Their own readiness probes begin after 15 s, and come every 10 to 20 s.
	kubevirt.Spec.CustomizeComponents.Patches = []virtv1.CustomizeComponentsPatch{
		probedOften("Deployment", "virt-api"),
		probedOften("Deployment", "virt-controller"),
		probedOften("DaemonSet", "virt-handler"),
	}
	kubevirt.Spec.Configuration = virtv1.KubeVirtConfiguration{
		ImagePullPolicy:   corev1.PullIfNotPresent,
		VMRolloutStrategy: &rollout,
		CPUModel:          *model,
		DeveloperConfiguration: &virtv1.DeveloperConfiguration{
			UseEmulation: true,
			FeatureGates: strings.Split(*gates, ","),
		},
	}
	show(kubevirt)
}

func probedOften(kind, name string) virtv1.CustomizeComponentsPatch {
	probe := `{"spec":{"template":{"spec":{"containers":[{"name":%q,"readinessProbe":{"initialDelaySeconds":1,"periodSeconds":1}}]}}}}`
	return virtv1.CustomizeComponentsPatch{
		ResourceType: kind, ResourceName: name, Type: virtv1.StrategicMergePatchType, Patch: fmt.Sprintf(probe, name),
	}
}
