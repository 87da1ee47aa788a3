//! What the attributes expand to, and what they say when they can't.

use proc_macro2::TokenStream;
use quote::quote;

use crate::expand::expand;
use crate::kind::Kind;

fn expanded(kind: Kind, arguments: TokenStream, item: TokenStream) -> String {
    let arguments = match arguments.is_empty() {
        true => quote!(crate = naq_connection),
        false => quote!(crate = naq_connection, #arguments),
    };
    expand(kind, arguments, item).unwrap().to_string()
}

fn refused(kind: Kind, arguments: TokenStream, item: TokenStream) -> String {
    let error = expand(kind, quote!(crate = c, #arguments), item).unwrap_err();
    error.to_string()
}

fn publish() -> TokenStream {
    quote! {
        async fn publish(conn: &Connection, subject: &str) -> Result<(), E> {
            conn.publish(subject).await?;
            Ok(())
        }
    }
}

/// What an `async` block of the expansion begins with.
fn told(result: TokenStream) -> TokenStream {
    quote! {
        #[allow(unreachable_code, clippy::all)]
        if false {
            let naq_told: #result = ::core::unreachable!();
            return naq_told;
        }
    }
}

#[test]
fn a_connection_is_a_lease_before_the_body_and_a_record_after_it() {
    let told = told(quote!(Result<(), E>));
    let expected = quote! {
        async fn publish(subject: &str) -> Result<(), E> {
            let naq_lease = naq_connection::nats_connection().profile("billing").await?;
            let conn: &Connection = &naq_lease;
            let naq_result: Result<(), E> = async {
                #told
                conn.publish(subject).await?;
                Ok(())
            }.await;
            naq_lease.recorded(naq_result)
        }
    };
    let found = expanded(Kind::Connection, quote!(config = "billing"), publish());
    assert_eq!(found, expected.to_string());
}

#[test]
fn everything_else_of_a_method_stays_as_it_is() {
    let found = expanded(
        Kind::KvStore,
        quote!("status"),
        quote! {
            /// Documented.
            #[must_use]
            pub(crate) async fn put<'a, T: Into<String> + Send>(&'a mut self, kv: &KvStore, key: T) -> Result<&'a str, E>
            where
                T: Send,
            {
                body
            }
        },
    );
    let told = told(quote!(Result<&'a str, E>));
    let expected = quote! {
        /// Documented.
        #[must_use]
        pub(crate) async fn put<'a, T: Into<String> + Send>(&'a mut self, key: T) -> Result<&'a str, E>
        where
            T: Send,
        {
            let naq_lease = naq_connection::nats_kv_store("status").await?;
            let kv: &KvStore = &naq_lease;
            let naq_result: Result<&'a str, E> = async { #told body }.await;
            naq_lease.recorded(naq_result)
        }
    };
    assert_eq!(found, expected.to_string());
}

#[test]
fn of_a_stack_the_upper_attribute_is_around_the_lower_one() {
    let found = expanded(
        Kind::Retry,
        quote!(max_retries = 3, retry_delay = "1s", backoff_factor = 2),
        quote! {
            #[naq::connection::with_connection_monitoring]
            #[other]
            #[with_jetstream_context]
            async fn make(js: &JetStream, mut name: String, list: &mut Vec<u8>) -> Result<(), E> {
                body
            }
        },
    );
    let told = told(quote!(Result<(), E>));
    let expected = quote! {
        #[other]
        async fn make(name: String, list: &mut Vec<u8>) -> Result<(), E> {
            #[allow(unused_imports)]
            use naq::connection::with_connection_monitoring as _;
            #[allow(unused_imports)]
            use with_jetstream_context as _;
            let mut naq_attempts = naq_connection::Retry::new(3)
                .delay(::core::time::Duration::from_millis(1000u64))
                .factor(2.0)
                .attempts();
            loop {
                let naq_result: Result<(), E> = async {
                    #told
                    let mut name = ::core::clone::Clone::clone(&name);
                    let list = &mut *list;
                    let naq_result: Result<(), E> = naq_connection::monitored("make", ::core::pin::pin!(async {
                        #told
                        let naq_lease = naq_connection::nats_jetstream().await?.1;
                        let js: &JetStream = &naq_lease;
                        let naq_result: Result<(), E> = async { #told body }.await;
                        naq_lease.recorded(naq_result)
                    })).await;
                    naq_result
                }.await;
                match naq_attempts.after(naq_result) {
                    ::core::ops::ControlFlow::Break(naq_result) => break naq_result,
                    ::core::ops::ControlFlow::Continue(naq_pause) => naq_pause.await,
                }
            }
        }
    };
    assert_eq!(found, expected.to_string());
}

#[test]
fn of_two_that_inject_the_upper_one_gives_the_first_parameter() {
    let found = expanded(
        Kind::Connection,
        quote!(),
        quote! {
            #[with_kv_store(BUCKET)]
            async fn both(conn: &Connection, kv: &KvStore, x: u8) -> Result<(), E> { body }
        },
    );
    let told = told(quote!(Result<(), E>));
    let expected = quote! {
        async fn both(x: u8) -> Result<(), E> {
            #[allow(unused_imports)]
            use with_kv_store as _;
            let naq_lease = naq_connection::nats_connection().await?;
            let conn: &Connection = &naq_lease;
            let naq_result: Result<(), E> = async {
                #told
                let naq_lease = naq_connection::nats_kv_store(BUCKET).await?;
                let kv: &KvStore = &naq_lease;
                let naq_result: Result<(), E> = async { #told body }.await;
                naq_lease.recorded(naq_result)
            }.await;
            naq_lease.recorded(naq_result)
        }
    };
    assert_eq!(found, expected.to_string());
}

#[test]
fn a_result_that_cannot_be_named_has_no_block_around_it() {
    let found = expanded(
        Kind::JetStream,
        quote!(),
        quote! {
            async fn f(js: &JetStream) -> Result<impl Sized, E> { body }
        },
    );
    let expected = quote! {
        async fn f() -> Result<impl Sized, E> {
            let naq_lease = naq_connection::nats_jetstream().await?.1;
            let js: &JetStream = &naq_lease;
            body
        }
    };
    assert_eq!(found, expected.to_string());
}

#[test]
fn every_option_of_a_retry_is_a_call_of_its_policy() {
    let found = expanded(
        Kind::Retry,
        quote!(
            retry_delay = 0.5,
            max_delay = 2,
            jitter = false,
            at_least_once = true,
            when = Self::again
        ),
        quote!(
            async fn f((a, b): (u8, u8), _: &str) -> Result<impl Sized, E> {
                body
            }
        ),
    );
    let expected = quote! {
        async fn f(__naq_argument_0: (u8, u8), _: &str) -> Result<impl Sized, E> {
            let mut naq_attempts = naq_connection::Retry::new(3)
                .delay(::core::time::Duration::from_millis(500u64))
                .max_delay(::core::time::Duration::from_millis(2000u64))
                .jitter(false)
                .at_least_once()
                .when(Self::again)
                .attempts();
            loop {
                let naq_result = async {
                    let (a, b) = ::core::clone::Clone::clone(&__naq_argument_0);
                    body
                }.await;
                match naq_attempts.after(naq_result) {
                    ::core::ops::ControlFlow::Break(naq_result) => break naq_result,
                    ::core::ops::ControlFlow::Continue(naq_pause) => naq_pause.await,
                }
            }
        }
    };
    assert_eq!(found, expected.to_string());
}

fn check_refusals(cases: impl IntoIterator<Item = (Kind, TokenStream, TokenStream, &'static str)>) {
    for (kind, arguments, item, expected) in cases {
        let told = refused(kind, arguments, item);
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn a_function_that_cannot_be_says_what_to_write() {
    let sync = quote!(
        fn f(conn: &Connection) -> Result<(), E> {
            body
        }
    );
    let owned = quote!(
        async fn f(conn: Connection) -> Result<(), E> {
            body
        }
    );
    let own_self = quote!(
        async fn f(self) -> Result<(), E> {
            body
        }
    );
    let none = quote!(
        async fn f(&self) -> Result<(), E> {
            body
        }
    );
    let unit = quote!(
        async fn f(conn: &Connection) {
            body
        }
    );
    let wanted = "write `conn: &Connection`";
    check_refusals([
        (Kind::Connection, quote!(), sync, "needs an `async fn`"),
        (Kind::Connection, quote!(), owned, wanted),
        (Kind::Connection, quote!(), none, wanted),
        (Kind::Connection, quote!(), unit, "needs a `Result`"),
        (Kind::Retry, quote!(), own_self, "take `&self`"),
        (
            Kind::Monitoring,
            quote!(),
            quote!(
                struct S;
            ),
            "goes on a function",
        ),
    ]);
}

#[test]
fn an_option_that_cannot_be_says_what_to_write() {
    let known = "it has `config`, `crate`";
    let twice = quote!(jitter = true, jitter = true);
    check_refusals([
        (Kind::Connection, quote!(confg = "a"), publish(), known),
        (Kind::KvStore, quote!(), publish(), "name the bucket"),
        (
            Kind::Retry,
            quote!(retry_delay = "soon"),
            publish(),
            "\"250ms\"",
        ),
        (Kind::Retry, twice, publish(), "given twice"),
    ]);
}
