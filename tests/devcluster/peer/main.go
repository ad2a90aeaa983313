// SPDX-License-Identifier: Apache-2.0

// redpanda-connect is Redpanda Connect with files and SQL alone, for the benchmarks to compare with.
package main

import (
	"context"

	_ "github.com/lib/pq"
	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	_ "github.com/redpanda-data/connect/v4/public/components/sql/base"
)

func main() { service.RunCLI(context.Background()) }
