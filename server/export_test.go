package server

import "unsafe"

// ConnSize is what the server keeps for each connection, without gnet's part.
const ConnSize = unsafe.Sizeof(conn{})
