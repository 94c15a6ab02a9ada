// Package platform is the local platform.
package platform
