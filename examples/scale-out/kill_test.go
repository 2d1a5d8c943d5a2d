package main

func serveMoment() {}
