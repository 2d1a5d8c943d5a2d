package moment

import "github.com/moment-billing/moment-go/internal/iso4217"

// Currency is an ISO 4217 alphabetic code, in capitals. An unknown code is kept as received; see
// [Currency.Exponent]. database/sql stores and scans it as text.
type Currency string

// Currencies in frequent use. Any other code works too: Currency("CLP").
const (
	AED Currency = "AED" // UAE dirham
	AOA Currency = "AOA" // Angolan kwanza
	AUD Currency = "AUD" // Australian dollar
	BHD Currency = "BHD" // Bahraini dinar, three decimals
	BRL Currency = "BRL" // Brazilian real
	BWP Currency = "BWP" // Botswana pula
	CAD Currency = "CAD" // Canadian dollar
	CDF Currency = "CDF" // Congolese franc
	CHF Currency = "CHF" // Swiss franc
	CNY Currency = "CNY" // Chinese yuan
	DKK Currency = "DKK" // Danish krone
	DZD Currency = "DZD" // Algerian dinar
	EGP Currency = "EGP" // Egyptian pound
	ETB Currency = "ETB" // Ethiopian birr
	EUR Currency = "EUR" // euro
	GBP Currency = "GBP" // pound sterling
	GHS Currency = "GHS" // Ghanaian cedi
	HKD Currency = "HKD" // Hong Kong dollar
	INR Currency = "INR" // Indian rupee
	JPY Currency = "JPY" // Japanese yen, no decimals
	KES Currency = "KES" // Kenyan shilling
	KWD Currency = "KWD" // Kuwaiti dinar, three decimals
	LSL Currency = "LSL" // Lesotho loti
	MAD Currency = "MAD" // Moroccan dirham
	MUR Currency = "MUR" // Mauritian rupee
	MWK Currency = "MWK" // Malawian kwacha
	MZN Currency = "MZN" // Mozambican metical
	NAD Currency = "NAD" // Namibian dollar
	NGN Currency = "NGN" // Nigerian naira
	NOK Currency = "NOK" // Norwegian krone
	NZD Currency = "NZD" // New Zealand dollar
	RWF Currency = "RWF" // Rwandan franc, no decimals
	SAR Currency = "SAR" // Saudi riyal
	SEK Currency = "SEK" // Swedish krona
	SGD Currency = "SGD" // Singapore dollar
	SZL Currency = "SZL" // Eswatini lilangeni
	TND Currency = "TND" // Tunisian dinar, three decimals
	TZS Currency = "TZS" // Tanzanian shilling
	UGX Currency = "UGX" // Ugandan shilling, no decimals
	USD Currency = "USD" // US dollar
	XAF Currency = "XAF" // Central African CFA franc, no decimals
	XOF Currency = "XOF" // West African CFA franc, no decimals
	ZAR Currency = "ZAR" // South African rand
	ZMW Currency = "ZMW" // Zambian kwacha
)

// Exponent returns the number of decimals of c: 2 for [ZAR], 0 for [JPY], 3 for [BHD]. The numbers
// are those of ISO 4217, because the service counts in its minor units. Locale data differs from it
// for some currencies. A code that ISO has withdrawn since 2021 keeps its last number.
//
// The number is never guessed: the error is an [*UnknownCurrencyError] for a code that ISO does not
// list, for a code in lower case, and for a code without a minor unit (XAU, XXX).
func (c Currency) Exponent() (int, error) {
	exponent, ok := iso4217.Exponent(string(c))
	if !ok {
		return 0, &UnknownCurrencyError{Currency: c}
	}
	return exponent, nil
}

// UnknownCurrencyError is the error for a currency whose number of decimals is not in ISO 4217, or
// is newer than this version. Amounts in it can be stored, compared, added and sent, but neither
// written as a decimal nor parsed from one.
type UnknownCurrencyError struct {
	Currency Currency
}

// Error names the code, and describes the form of codes.
func (e *UnknownCurrencyError) Error() string {
	if e.Currency == "" {
		return "moment: the currency is missing: a Money needs one, as in Amount(1095).In(ZAR)"
	}
	return "moment: unknown currency " + quoteInput(string(e.Currency)) +
		": ISO 4217, as this version knows it, has no minor unit for that code (codes are three capital letters)"
}
