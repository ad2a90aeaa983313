// SPDX-License-Identifier: Apache-2.0

// Package libnbd is a stub for libguestfs.org/libnbd v1.11.5, which the Go proxy refuses. CDI uses it only for imports from VMware (VDDK).
package libnbd

import "errors"

const (
	CMD_FLAG_REQ_ONE = uint32(8)
	STATE_HOLE       = uint32(1)
	STATE_ZERO       = uint32(2)
)

var errStub = errors.New("libnbd stub: VDDK import is not available in this build")

type Libnbd struct{}
type LibnbdError struct{}
type ExtentCallback func(metacontext string, offset uint64, entries []uint32, error *int) int
type PreadOptargs struct {
	Flags    uint32
	FlagsSet bool
}
type BlockStatusOptargs struct {
	FlagsSet bool
	Flags    uint32
}

func (*LibnbdError) Error() string                        { return errStub.Error() }
func Create() (*Libnbd, error)                            { return nil, errStub }
func (*Libnbd) Close() *LibnbdError                       { return nil }
func (*Libnbd) AddMetaContext(string) error               { return errStub }
func (*Libnbd) ConnectUri(string) error                   { return errStub }
func (*Libnbd) GetSize() (uint64, error)                  { return 0, errStub }
func (*Libnbd) Pread([]byte, uint64, *PreadOptargs) error { return errStub }
func (*Libnbd) BlockStatus(uint64, uint64, ExtentCallback, *BlockStatusOptargs) error {
	return errStub
}
