package server

import "unsafe"

// PeerSize is the size of a UDP peer, without its handler.
const PeerSize = unsafe.Sizeof(peer{})
