use std::env;
use std::thread;

fn main() {
    let greetings: Vec<_> = env::args()
        .skip(1)
        .map(|name| thread::spawn(move || format!("hello, {name}")))
        .collect();
    println!("{} names", greetings.len());
    for greeting in greetings {
        println!("{}", greeting.join().unwrap());
    }
}
