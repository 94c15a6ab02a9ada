//go:build !race

package gbt26875

const raceEnabled = false
