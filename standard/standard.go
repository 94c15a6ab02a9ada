// Package standard puts all protocols, platforms and checks of credentials in
// the box into the default registries, for its side effects only.
package standard

import (
	_ "github.com/linkspan/linkspan/adapters/gbt26875"      // protocol gbt26875
	_ "github.com/linkspan/linkspan/adapters/jt808"         // protocol jt808
	_ "github.com/linkspan/linkspan/adapters/modbus"        // protocol modbus
	_ "github.com/linkspan/linkspan/auth/hmactoken"         // credentials token
	_ "github.com/linkspan/linkspan/auth/httpauth"          // credentials http
	_ "github.com/linkspan/linkspan/auth/static"            // credentials static
	_ "github.com/linkspan/linkspan/upstream/aliyun"        // platform aliyun
	_ "github.com/linkspan/linkspan/upstream/aliyun/direct" // platform aliyun-direct
	_ "github.com/linkspan/linkspan/upstream/aliyun/http2"  // platform aliyun-http2
	_ "github.com/linkspan/linkspan/upstream/mqtt"          // platform mqtt
)
