//! Asks a gatepass provider the questions every provider must answer.
