package main

// withdrawn has the codes that ISO 4217 has moved from list one (current) to list three (historic)
// since 2021, in its amendments 170 to 180. They keep their number of decimals from list one,
// because merchants still have bills and payments in them.
//
// Review an addition against the amendment, or against the last list one that had the code, because
// list three does not have minor units, and locale data differs from ISO (it has 0 for SLL). Codes
// that were withdrawn before 2021 are omitted until someone needs one.
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
