// Package alink is the platform's language, whatever carries it: the topics of a
// device, what is said and answered on them, and what the platform asks there
// (developer guide, chapters 6.4, 8 and 9). It is a matter of bytes alone: no
// connections, no clocks but for events without a time, no state.
package alink
