// SPDX-License-Identifier: Apache-2.0

// Package libnbd is a stub for libguestfs.org/libnbd, which the Go proxy refuses. virt-launcher uses it only for incremental backup (pull mode).
package libnbd

import "errors"

const (
	CONTEXT_BASE_ALLOCATION   = "base:allocation"
	CONTEXT_QEMU_DIRTY_BITMAP = "qemu:dirty-bitmap:"
	STATE_HOLE                = uint32(1)
	STATE_ZERO                = uint32(2)
	STATE_DIRTY               = uint32(1)
)

var errStub = errors.New("libnbd stub: NBD backup is not available in this build")

type Libnbd struct{}
type LibnbdExtent struct{ Length, Flags uint64 }
type BlockStatus64OptArgs struct{}
type PreadOptArgs struct{}

func Create() (*Libnbd, error)                            { return nil, errStub }
func (*Libnbd) Close() error                              { return nil }
func (*Libnbd) AddMetaContext(string) error               { return errStub }
func (*Libnbd) CanMetaContext(string) (bool, error)       { return false, errStub }
func (*Libnbd) GetSize() (uint64, error)                  { return 0, errStub }
func (*Libnbd) SetExportName(string) error                { return errStub }
func (*Libnbd) ConnectUnix(string) error                  { return errStub }
func (*Libnbd) Pread([]byte, uint64, *PreadOptArgs) error { return errStub }
func (*Libnbd) BlockStatus64(uint64, uint64, func(string, uint64, []LibnbdExtent, *int) int, *BlockStatus64OptArgs) error {
	return errStub
}
