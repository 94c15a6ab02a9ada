// Package standard puts all protocols and platforms in the box into the default
// registries, for its side effects only.
package standard

import (
	_ "github.com/linkspan/linkspan/adapters/jt808"  // protocol jt808
	_ "github.com/linkspan/linkspan/upstream/aliyun" // platform aliyun
)
