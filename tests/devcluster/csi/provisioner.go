// SPDX-License-Identifier: Apache-2.0

package main

// A small provisioner (the upstream external-provisioner cannot be built here: one module of it is not served).
// Polls: Pending PVCs of our StorageClasses -> CreateVolume + PV; Released PVs with reclaim Delete -> DeleteVolume.

import (
	"context"
	"log"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	v1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

func provision(d *drv, kubeconfig string) {
	cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		log.Fatal(err)
	}
	cfg.QPS, cfg.Burst = 100, 200
	k := kubernetes.NewForConfigOrDie(cfg)
	dyn := dynamic.NewForConfigOrDie(cfg)
	for ; ; time.Sleep(250 * time.Millisecond) {
		if err := pass(context.Background(), d, k, dyn); err != nil {
			log.Printf("provisioner: %v", err)
			time.Sleep(time.Second)
		}
	}
}

func pass(ctx context.Context, d *drv, k kubernetes.Interface, dyn dynamic.Interface) error {
	scs, err := k.StorageV1().StorageClasses().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return err
	}
	our := map[string]storagev1.StorageClass{}
	for _, s := range scs.Items {
		if s.Provisioner == name {
			our[s.Name] = s
		}
	}
	pvcs, err := k.CoreV1().PersistentVolumeClaims("").List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return err
	}
	for i := range pvcs.Items {
		c := &pvcs.Items[i]
		if r := c.Spec.DataSourceRef; r != nil && (deref(r.Namespace) != "" || (r.Kind != "VolumeSnapshot" && r.Kind != "PersistentVolumeClaim")) {
			continue // a volume populator's claim: never provision an empty volume for it, its owner binds one later
		}
		sc, ok := our[deref(c.Spec.StorageClassName)]
		if !ok || c.Spec.VolumeName != "" || c.DeletionTimestamp != nil || c.Status.Phase == v1.ClaimBound {
			continue
		}
		if sc.VolumeBindingMode != nil && *sc.VolumeBindingMode == storagev1.VolumeBindingWaitForFirstConsumer && c.Annotations["volume.kubernetes.io/selected-node"] == "" {
			continue
		}
		if err := create(ctx, d, k, dyn, c, &sc); err != nil {
			log.Printf("provision %s/%s: %v", c.Namespace, c.Name, err)
		}
	}
	pvs, err := k.CoreV1().PersistentVolumes().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return err
	}
	for i := range pvs.Items {
		pv := &pvs.Items[i]
		if pv.Spec.CSI == nil || pv.Spec.CSI.Driver != name || pv.Status.Phase != v1.VolumeReleased || pv.Spec.PersistentVolumeReclaimPolicy != v1.PersistentVolumeReclaimDelete {
			continue
		}
		if _, err := d.DeleteVolume(ctx, &csi.DeleteVolumeRequest{VolumeId: pv.Spec.CSI.VolumeHandle}); err != nil {
			log.Printf("delete %s: %v", pv.Name, err)
			continue
		}
		if err := k.CoreV1().PersistentVolumes().Delete(ctx, pv.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			log.Printf("delete %s: %v", pv.Name, err)
		}
	}
	return nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func create(ctx context.Context, d *drv, k kubernetes.Interface, dyn dynamic.Interface, c *v1.PersistentVolumeClaim, sc *storagev1.StorageClass) error {
	size := c.Spec.Resources.Requests[v1.ResourceStorage]
	req := &csi.CreateVolumeRequest{Name: "pvc-" + string(c.UID), CapacityRange: &csi.CapacityRange{RequiredBytes: size.Value()}}
	if s := c.Spec.DataSource; s != nil {
		switch s.Kind {
		case "VolumeSnapshot":
			g := schema.GroupVersionResource{Group: "snapshot.storage.k8s.io", Version: "v1", Resource: "volumesnapshots"}
			vs, err := dyn.Resource(g).Namespace(c.Namespace).Get(ctx, s.Name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			cn, _, _ := unstructured.NestedString(vs.Object, "status", "boundVolumeSnapshotContentName")
			ready, _, _ := unstructured.NestedBool(vs.Object, "status", "readyToUse")
			if cn == "" || !ready {
				return nil
			}
			g.Resource = "volumesnapshotcontents"
			vc, err := dyn.Resource(g).Get(ctx, cn, metav1.GetOptions{})
			if err != nil {
				return err
			}
			h, _, _ := unstructured.NestedString(vc.Object, "status", "snapshotHandle")
			req.VolumeContentSource = &csi.VolumeContentSource{Type: &csi.VolumeContentSource_Snapshot{Snapshot: &csi.VolumeContentSource_SnapshotSource{SnapshotId: h}}}
		case "PersistentVolumeClaim":
			src, err := k.CoreV1().PersistentVolumeClaims(c.Namespace).Get(ctx, s.Name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			pv, err := k.CoreV1().PersistentVolumes().Get(ctx, src.Spec.VolumeName, metav1.GetOptions{})
			if err != nil {
				return err
			}
			req.VolumeContentSource = &csi.VolumeContentSource{Type: &csi.VolumeContentSource_Volume{Volume: &csi.VolumeContentSource_VolumeSource{VolumeId: pv.Spec.CSI.VolumeHandle}}}
		}
	}
	r, err := d.CreateVolume(ctx, req)
	if err != nil {
		return err
	}
	pv := &v1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: req.Name, Annotations: map[string]string{"pv.kubernetes.io/provisioned-by": name}},
		Spec: v1.PersistentVolumeSpec{
			Capacity: v1.ResourceList{v1.ResourceStorage: size}, AccessModes: c.Spec.AccessModes, StorageClassName: sc.Name,
			PersistentVolumeReclaimPolicy: *sc.ReclaimPolicy, VolumeMode: c.Spec.VolumeMode, MountOptions: sc.MountOptions,
			ClaimRef:               &v1.ObjectReference{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: c.Namespace, Name: c.Name, UID: c.UID, ResourceVersion: c.ResourceVersion},
			PersistentVolumeSource: v1.PersistentVolumeSource{CSI: &v1.CSIPersistentVolumeSource{Driver: name, VolumeHandle: r.Volume.VolumeId, FSType: "xfs"}},
		},
	}
	_, err = k.CoreV1().PersistentVolumes().Create(ctx, pv, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	if err == nil {
		log.Printf("provisioned %s for %s/%s", pv.Name, c.Namespace, c.Name)
	}
	return err
}
