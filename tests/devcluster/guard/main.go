// SPDX-License-Identifier: Apache-2.0

// guard COMMAND...: runs a command that does not watch its parent itself, and ends with it.
// When the process named by CAIRN_PARENT is no longer guard's parent, guard's whole process group ends.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

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
		syscall.Kill(0, syscall.SIGKILL)
	}()
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: guard COMMAND...")
		os.Exit(2)
	}
	endWithParent()
	command := exec.Command(os.Args[1], os.Args[2:]...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	err := command.Run()
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended):
		os.Exit(max(ended.ExitCode(), 1))
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
