// Package jt808 is the wire protocol JT/T 808 (2011, 2013, 2019).
package jt808
