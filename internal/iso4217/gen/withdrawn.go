package main

// withdrawn holds the codes that ISO 4217 has moved from list one (current) to
// list three (historic) since 2021, which is to say by its amendments 170 to 180.
// Bills and payments in them are still on merchants' books, so they keep the
// number of decimals that list one gave them.
//
// Review an addition against the amendment, or the last list one that had the
// code: list three states no minor units, and locale data differs from ISO (it
// says 0 for SLL). Codes withdrawn before 2021 are left out until someone needs one.
var withdrawn = []currencyCode{
	// Curaçao and Sint Maarten. Amendment 176: replaced at par by XCG on 2025-03-31,
	// legal tender until 2025-06-30.
	{"ANG", 2},
	// Bulgaria. Amendment 180: replaced by EUR on 2026-01-01.
	{"BGN", 2},
	// Cuba. Amendment 178 (2025): withdrawn with effect from 2021-06, replaced by CUP.
	{"CUC", 2},
	// Croatia. Amendment 174: replaced by EUR on 2023-01-01.
	{"HRK", 2},
	// Sierra Leone. Amendments 171 to 173 and 175: 1000 SLL became 1 SLE in 2022;
	// SLL was legal tender until 2023-12-31. SLE has two decimals as well.
	{"SLL", 2},
	// Zimbabwe. Amendment 177: replaced by ZWG on 2024-06-25, historic from 2024-09-01.
	{"ZWL", 2},
}
