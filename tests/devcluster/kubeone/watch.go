// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strconv"
	"syscall"
	"time"
)

// endWithParent ends this process when the process named by CAIRN_PARENT is no longer its parent.
// Not PR_SET_PDEATHSIG: that fires when the *thread* that started us ends, and tests start us from worker threads.
func endWithParent() {
	want, err := strconv.Atoi(os.Getenv("CAIRN_PARENT"))
	if err != nil {
		return
	}
	os.Unsetenv("CAIRN_PARENT")
	go func() {
		for os.Getppid() == want {
			time.Sleep(200 * time.Millisecond)
		}
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}()
}
