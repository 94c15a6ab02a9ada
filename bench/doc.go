// Command bench measures linkspan beside the least that its work can cost.
//
// Every variant is a server process of its own, pinned to one core; the
// generator of its load is pinned to another. In one run the variants take turns
// (A B C A B C ...) and each figure is the median over the turns, so that
// whatever disturbs the machine disturbs all of them: ratios within one run mean
// something, absolute figures little.
//
//	go run ./bench                      # everything, some minutes
//	go run ./bench -only throughput,memory -rounds 9 -json out.json
//	go run ./bench -quick               # does it run? no figures worth keeping
//
// README.md tells what is measured.
package main
