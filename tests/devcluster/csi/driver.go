// SPDX-License-Identifier: Apache-2.0

// csi-dev: a one-node CSI driver for tests. Each volume is a sparse XFS image file, loop-mounted, so sizes are
// real (ENOSPC happens), online expansion is real (xfs_growfs) and a snapshot is a frozen copy of the image.
// XFS, not ext4: ext4's online resize needs CAP_SYS_RESOURCE, which root lacks on some machines.
// It also registers itself with the kubelet (no node-driver-registrar needed).
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	reg "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

const name = "csi.dev.local"

var (
	root = flag.String("root", "/var/lib/kubelet/csi-dev", "volume store")
	sock = flag.String("sock", "/var/lib/kubelet/plugins/csi-dev/csi.sock", "csi socket")
	regS = flag.String("reg", "/var/lib/kubelet/plugins_registry/csi-dev-reg.sock", "registration socket")
	node = flag.String("node", "node1", "node id")
	kcfg = flag.String("kubeconfig", "", "run the provisioner with this kubeconfig")
)

type vol struct {
	ID, Name, Source string
	Size             int64
	Created          time.Time
}
type drv struct {
	csi.UnimplementedIdentityServer
	csi.UnimplementedControllerServer
	csi.UnimplementedNodeServer
	reg.UnimplementedRegistrationServer
	mu    sync.Mutex
	locks map[string]*os.File
}

// lock fences a volume: the store is shared by all nodes, and one filesystem must not be mounted on two of them.
// The lock goes with this process, so a node's power loss frees it; a restarted driver takes it again in main.
func (d *drv) lock(id string) error {
	if d.locks[id] != nil {
		return nil
	}
	f, err := os.OpenFile(p("vol", id, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		b, _ := os.ReadFile(f.Name())
		f.Close()
		return status.Errorf(codes.FailedPrecondition, "volume %s is in use on node %s", id, b)
	}
	f.Truncate(0)
	f.WriteAt([]byte(*node), 0)
	d.locks[id] = f
	return nil
}
func (d *drv) unlock(id string) {
	if f := d.locks[id]; f != nil {
		f.Close()
		delete(d.locks, id)
	}
}

func sh(c string, a ...string) (string, error) {
	b, err := exec.Command(c, a...).CombinedOutput()
	if err != nil {
		err = status.Errorf(codes.Internal, "%s %v: %v: %s", c, a, err, b)
	}
	return strings.TrimSpace(string(b)), err
}
func p(kind, id, f string) string { return filepath.Join(*root, kind, id, f) }
func load(kind, id string) *vol {
	b, err := os.ReadFile(p(kind, id, "meta.json"))
	if err != nil {
		return nil
	}
	v := &vol{}
	if json.Unmarshal(b, v) != nil {
		return nil
	}
	return v
}
func save(kind string, v *vol) error {
	b, _ := json.Marshal(v)
	f := p(kind, v.ID, "meta.json")
	if err := os.WriteFile(f+".tmp", b, 0o600); err != nil {
		return err
	}
	return os.Rename(f+".tmp", f)
}
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '/' || r == '.' {
			return '-'
		}
		return r
	}, s)
}
func stage(id string) string { return p("vol", id, "mnt") }
func mounted(m string) bool  { return exec.Command("mountpoint", "-q", m).Run() == nil }

// ---- identity + registration
func (d *drv) GetPluginInfo(context.Context, *csi.GetPluginInfoRequest) (*csi.GetPluginInfoResponse, error) {
	return &csi.GetPluginInfoResponse{Name: name, VendorVersion: "1"}, nil
}
func (d *drv) GetPluginCapabilities(context.Context, *csi.GetPluginCapabilitiesRequest) (*csi.GetPluginCapabilitiesResponse, error) {
	return &csi.GetPluginCapabilitiesResponse{Capabilities: []*csi.PluginCapability{
		{Type: &csi.PluginCapability_Service_{Service: &csi.PluginCapability_Service{Type: csi.PluginCapability_Service_CONTROLLER_SERVICE}}},
		{Type: &csi.PluginCapability_VolumeExpansion_{VolumeExpansion: &csi.PluginCapability_VolumeExpansion{Type: csi.PluginCapability_VolumeExpansion_ONLINE}}},
	}}, nil
}
func (d *drv) Probe(context.Context, *csi.ProbeRequest) (*csi.ProbeResponse, error) {
	return &csi.ProbeResponse{Ready: wrapperspb.Bool(true)}, nil
}
func (d *drv) GetInfo(context.Context, *reg.InfoRequest) (*reg.PluginInfo, error) {
	return &reg.PluginInfo{Type: reg.CSIPlugin, Name: name, Endpoint: *sock, SupportedVersions: []string{"1.0.0"}}, nil
}
func (d *drv) NotifyRegistrationStatus(_ context.Context, s *reg.RegistrationStatus) (*reg.RegistrationStatusResponse, error) {
	log.Printf("registration: %v %s", s.PluginRegistered, s.Error)
	return &reg.RegistrationStatusResponse{}, nil
}

// ---- controller
func (d *drv) ControllerGetCapabilities(context.Context, *csi.ControllerGetCapabilitiesRequest) (*csi.ControllerGetCapabilitiesResponse, error) {
	r := &csi.ControllerGetCapabilitiesResponse{}
	for _, t := range []csi.ControllerServiceCapability_RPC_Type{csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME,
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_SNAPSHOT, csi.ControllerServiceCapability_RPC_CLONE_VOLUME, csi.ControllerServiceCapability_RPC_EXPAND_VOLUME} {
		r.Capabilities = append(r.Capabilities, &csi.ControllerServiceCapability{Type: &csi.ControllerServiceCapability_Rpc{Rpc: &csi.ControllerServiceCapability_RPC{Type: t}}})
	}
	return r, nil
}
func (d *drv) ValidateVolumeCapabilities(_ context.Context, r *csi.ValidateVolumeCapabilitiesRequest) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	return &csi.ValidateVolumeCapabilitiesResponse{Confirmed: &csi.ValidateVolumeCapabilitiesResponse_Confirmed{VolumeCapabilities: r.VolumeCapabilities}}, nil
}
func copyImg(srcVol, srcImg, dst string) error {
	if srcVol != "" && mounted(stage(srcVol)) { // crash-consistent point-in-time copy of a mounted filesystem
		if _, err := sh("fsfreeze", "-f", stage(srcVol)); err != nil {
			return err
		}
		defer sh("fsfreeze", "-u", stage(srcVol))
	}
	_, err := sh("cp", "--sparse=always", "--reflink=auto", srcImg, dst)
	return err
}
func (d *drv) CreateVolume(_ context.Context, r *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	id := clean(r.Name)
	size := r.GetCapacityRange().GetRequiredBytes()
	if size < 64<<20 {
		size = 64 << 20
	}
	v := load("vol", id)
	if v != nil && v.Size < size {
		return nil, status.Error(codes.AlreadyExists, "smaller volume of that name")
	}
	if v == nil {
		v = &vol{ID: id, Name: r.Name, Size: size, Created: time.Now()}
		os.RemoveAll(p("vol", id, ""))
		if err := os.MkdirAll(stage(id), 0o755); err != nil {
			return nil, err
		}
		img := p("vol", id, "disk.img")
		var err error
		if s := r.GetVolumeContentSource().GetSnapshot(); s != nil {
			if load("snap", s.SnapshotId) == nil {
				return nil, status.Error(codes.NotFound, "no such snapshot")
			}
			err = copyImg("", p("snap", s.SnapshotId, "disk.img"), img)
		} else if s := r.GetVolumeContentSource().GetVolume(); s != nil {
			err = copyImg(s.VolumeId, p("vol", s.VolumeId, "disk.img"), img)
		} else {
			if err = os.WriteFile(img, nil, 0o600); err == nil {
				if err = os.Truncate(img, size); err == nil {
					_, err = sh("mkfs.xfs", "--unsupported", "-q", "-f", "-K", "-l", "size=16m", img)
				}
			}
		}
		if err != nil {
			return nil, err
		}
		if st, e := os.Stat(img); e == nil && st.Size() < size {
			if err := os.Truncate(img, size); err != nil {
				return nil, err
			}
		}
		if err := save("vol", v); err != nil {
			return nil, err
		}
	}
	return &csi.CreateVolumeResponse{Volume: &csi.Volume{VolumeId: id, CapacityBytes: v.Size, ContentSource: r.VolumeContentSource}}, nil
}
func (d *drv) DeleteVolume(_ context.Context, r *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if mounted(stage(r.VolumeId)) {
		return nil, status.Error(codes.FailedPrecondition, "volume is mounted")
	}
	if load("vol", r.VolumeId) != nil {
		if err := d.lock(r.VolumeId); err != nil {
			return nil, err
		}
		defer d.unlock(r.VolumeId)
	}
	return &csi.DeleteVolumeResponse{}, os.RemoveAll(p("vol", clean(r.VolumeId), ""))
}
func (d *drv) CreateSnapshot(_ context.Context, r *csi.CreateSnapshotRequest) (*csi.CreateSnapshotResponse, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	id := clean(r.Name)
	s := load("snap", id)
	if s == nil {
		v := load("vol", r.SourceVolumeId)
		if v == nil {
			return nil, status.Error(codes.NotFound, "no such volume")
		}
		os.MkdirAll(p("snap", id, ""), 0o755)
		if !mounted(stage(v.ID)) { // mounted elsewhere: this process cannot freeze it
			if err := d.lock(v.ID); err != nil {
				return nil, err
			}
			defer d.unlock(v.ID)
		}
		if err := copyImg(v.ID, p("vol", v.ID, "disk.img"), p("snap", id, "disk.img")); err != nil {
			return nil, err
		}
		s = &vol{ID: id, Name: r.Name, Source: v.ID, Size: v.Size, Created: time.Now()}
		if err := save("snap", s); err != nil {
			return nil, err
		}
	} else if s.Source != r.SourceVolumeId {
		return nil, status.Error(codes.AlreadyExists, "snapshot of another volume")
	}
	return &csi.CreateSnapshotResponse{Snapshot: &csi.Snapshot{SnapshotId: id, SourceVolumeId: s.Source, SizeBytes: s.Size, CreationTime: timestamppb.New(s.Created), ReadyToUse: true}}, nil
}
func (d *drv) DeleteSnapshot(_ context.Context, r *csi.DeleteSnapshotRequest) (*csi.DeleteSnapshotResponse, error) {
	return &csi.DeleteSnapshotResponse{}, os.RemoveAll(p("snap", clean(r.SnapshotId), ""))
}
func (d *drv) ControllerExpandVolume(_ context.Context, r *csi.ControllerExpandVolumeRequest) (*csi.ControllerExpandVolumeResponse, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := load("vol", r.VolumeId)
	if v == nil {
		return nil, status.Error(codes.NotFound, "no such volume")
	}
	if n := r.CapacityRange.GetRequiredBytes(); n > v.Size {
		if err := os.Truncate(p("vol", v.ID, "disk.img"), n); err != nil {
			return nil, err
		}
		v.Size = n
		if err := save("vol", v); err != nil {
			return nil, err
		}
	}
	return &csi.ControllerExpandVolumeResponse{CapacityBytes: v.Size, NodeExpansionRequired: true}, nil
}

// ---- node
func (d *drv) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{NodeId: *node}, nil
}
func (d *drv) NodeGetCapabilities(context.Context, *csi.NodeGetCapabilitiesRequest) (*csi.NodeGetCapabilitiesResponse, error) {
	r := &csi.NodeGetCapabilitiesResponse{}
	for _, t := range []csi.NodeServiceCapability_RPC_Type{csi.NodeServiceCapability_RPC_EXPAND_VOLUME, csi.NodeServiceCapability_RPC_GET_VOLUME_STATS} {
		r.Capabilities = append(r.Capabilities, &csi.NodeServiceCapability{Type: &csi.NodeServiceCapability_Rpc{Rpc: &csi.NodeServiceCapability_RPC{Type: t}}})
	}
	return r, nil
}
func (d *drv) NodePublishVolume(_ context.Context, r *csi.NodePublishVolumeRequest) (*csi.NodePublishVolumeResponse, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := stage(r.VolumeId)
	if load("vol", r.VolumeId) == nil {
		return nil, status.Error(codes.NotFound, "no such volume")
	}
	if err := d.lock(r.VolumeId); err != nil {
		return nil, err
	}
	if !mounted(m) {
		if _, err := sh("mount", "-t", "xfs", "-o", "loop,nouuid", p("vol", r.VolumeId, "disk.img"), m); err != nil {
			return nil, err
		}
		if _, err := sh("xfs_growfs", "-d", m); err != nil { // after an offline expansion or a restore to a larger volume
			return nil, err
		}
	}
	if mounted(r.TargetPath) {
		return &csi.NodePublishVolumeResponse{}, nil
	}
	os.MkdirAll(r.TargetPath, 0o755)
	if _, err := sh("mount", "--bind", m, r.TargetPath); err != nil {
		return nil, err
	}
	if r.Readonly {
		if _, err := sh("mount", "-o", "remount,bind,ro", r.TargetPath); err != nil {
			return nil, err
		}
	}
	return &csi.NodePublishVolumeResponse{}, nil
}
func (d *drv) NodeUnpublishVolume(_ context.Context, r *csi.NodeUnpublishVolumeRequest) (*csi.NodeUnpublishVolumeResponse, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if mounted(r.TargetPath) {
		if _, err := sh("umount", r.TargetPath); err != nil {
			return nil, err
		}
	}
	os.RemoveAll(r.TargetPath)
	// last user gone: unmount the filesystem itself
	if m := stage(r.VolumeId); mounted(m) {
		dev, _ := sh("findmnt", "-no", "SOURCE", m)
		if n, _ := sh("findmnt", "-rno", "TARGET", "-S", dev); len(strings.Fields(n)) <= 1 {
			if _, err := sh("umount", m); err != nil {
				return nil, err
			}
			d.unlock(r.VolumeId)
		}
	}
	return &csi.NodeUnpublishVolumeResponse{}, nil
}
func (d *drv) NodeExpandVolume(_ context.Context, r *csi.NodeExpandVolumeRequest) (*csi.NodeExpandVolumeResponse, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	dev, err := sh("findmnt", "-no", "SOURCE", stage(r.VolumeId))
	if err != nil {
		return nil, err
	}
	if _, err := sh("losetup", "-c", dev); err != nil {
		return nil, err
	}
	if _, err := sh("xfs_growfs", "-d", stage(r.VolumeId)); err != nil {
		return nil, err
	}
	return &csi.NodeExpandVolumeResponse{CapacityBytes: r.CapacityRange.GetRequiredBytes()}, nil
}
func (d *drv) NodeGetVolumeStats(_ context.Context, r *csi.NodeGetVolumeStatsRequest) (*csi.NodeGetVolumeStatsResponse, error) {
	var b, bf, ba, i, fi int64
	o, err := sh("stat", "-f", "-c", "%S %b %f %a %c %d", r.VolumePath)
	if err != nil {
		return nil, err
	}
	var s int64
	fmt.Sscan(o, &s, &b, &bf, &ba, &i, &fi)
	return &csi.NodeGetVolumeStatsResponse{Usage: []*csi.VolumeUsage{
		{Unit: csi.VolumeUsage_BYTES, Total: b * s, Available: ba * s, Used: (b - bf) * s},
		{Unit: csi.VolumeUsage_INODES, Total: i, Available: fi, Used: i - fi}}}, nil
}

func serve(path string, f func(*grpc.Server)) {
	os.MkdirAll(filepath.Dir(path), 0o755)
	os.Remove(path)
	l, err := net.Listen("unix", path)
	if err != nil {
		log.Fatal(err)
	}
	s := grpc.NewServer(grpc.UnaryInterceptor(func(c context.Context, q any, i *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
		r, err := h(c, q)
		if err != nil || !(strings.HasSuffix(i.FullMethod, "Probe") || strings.Contains(i.FullMethod, "Get")) {
			log.Printf("%s %v -> %v %v", i.FullMethod, q, r, err)
		}
		return r, err
	}))
	f(s)
	log.Fatal(s.Serve(l))
}

func main() {
	flag.Parse()
	d := &drv{locks: map[string]*os.File{}}
	if ids, _ := os.ReadDir(filepath.Join(*root, "vol")); ids != nil {
		for _, e := range ids {
			if mounted(stage(e.Name())) {
				d.lock(e.Name())
			}
		}
	}
	if *kcfg != "" {
		go provision(d, *kcfg)
	}
	go serve(*regS, func(s *grpc.Server) { reg.RegisterRegistrationServer(s, d) })
	serve(*sock, func(s *grpc.Server) {
		csi.RegisterIdentityServer(s, d)
		csi.RegisterControllerServer(s, d)
		csi.RegisterNodeServer(s, d)
	})
}
