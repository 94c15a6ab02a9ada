package platform

import (
	"net/http"
)

func (p *Platform) serveAPI() { p.apiSrv = &http.Server{} }
