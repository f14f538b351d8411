#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| paasta_fuzz::system(data));
