//! A worker: it lets in who knows the secret, and answers one coordinator at a time.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo,
    HandshakeRequest, HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, mpsc};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use super::question::Query;
use super::secret::Secret;
use super::wire::{Asks, First, Jobs, MESSAGE, Reply, Sending, build, message, said, schema_bytes};
use crate::archive::Archive;
use crate::engine::{Columns, Language, Options, Question, STACK, Session, Stop};
use crate::engine::{kql, output};
use crate::fault::{Error, Result};
use crate::function::value::UNIX_EPOCH_TICKS;
use crate::hunt::{self, Answer, Answered, Fault, Job};
use crate::rules;

/// So long somebody who connects may take to show who he is, and to say what he wants.
const SHOWN: Duration = Duration::from_secs(5);
/// So many may do so at once. Where one more comes, who has taken longest is sent away.
const AT_THE_DOOR: usize = 256;
/// So long the queries of the last coordinator may take to end before the next is told that somebody else is served.
const ENDING: Duration = Duration::from_secs(3);
/// So often a coordinator of whom nothing comes is asked whether it is there, and so long it may take to say so.
const ASKED: Duration = Duration::from_secs(5);
const SILENT: Duration = Duration::from_secs(10);
/// Messages that wait for a coordinator.
const AHEAD: usize = 4;

/// What a worker has to say.
#[derive(Debug)]
pub enum Said<'a> {
    /// It listens.
    Listening(SocketAddr),
    /// Somebody was not let in.
    Refused {
        /// Who.
        peer: SocketAddr,
        /// Why.
        why: String,
    },
    /// It serves a coordinator.
    Came(&'a str),
    /// It begins with a query.
    Began(&'a str),
    /// So many queries of a coordinator were answered, and so many failed.
    Ended {
        /// Answered.
        answered: u64,
        /// Failed.
        failed: u64,
    },
    /// The coordinator is gone.
    Gone(&'a str),
}

type Told = Arc<dyn Fn(Said<'_>) + Send + Sync>;
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Listens on HOST:PORT and serves until Ctrl-C.
///
/// # Errors
/// When the archive cannot be opened, nobody can listen there, or the secret makes no certificate.
pub fn serve(
    archive: &Path,
    listen: &str,
    secret: &Secret,
    own: &Options,
    tell: Told,
) -> Result<()> {
    Archive::open_to_ask(archive)?;
    let acceptor = TlsAcceptor::from(Arc::new(secret.server()?));
    let service = Arc::new(Shared {
        archive: archive.into(),
        own: own.clone(),
        build: build()?,
        tell: Arc::clone(&tell),
        served: Arc::default(),
        stop: Mutex::default(),
        ending: AtomicBool::new(false),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Error::io("start threads for", "the worker"))?;
    let done = runtime.block_on(async {
        let listener = TcpListener::bind(listen)
            .await
            .map_err(Error::io("listen on", listen))?;
        let address = listener
            .local_addr()
            .map_err(Error::io("listen on", listen))?;
        let mut ended = std::pin::pin!(tokio::signal::ctrl_c());
        // Heard before anybody is told that it listens.
        if futures::poll!(ended.as_mut()).is_ready() {
            return Ok(());
        }
        tell(Said::Listening(address));
        let (give, take) = mpsc::channel(1);
        tokio::spawn(door(listener, acceptor, give, tell));
        let incoming = stream::unfold(take, |mut take| async {
            take.recv().await.map(|tls| (Ok::<_, io::Error>(tls), take))
        });
        let flight = FlightServiceServer::from_arc(Arc::new(Worker(Arc::clone(&service))))
            .max_decoding_message_size(MESSAGE)
            .max_encoding_message_size(MESSAGE);
        let serving = Server::builder()
            .http2_keepalive_interval(Some(ASKED))
            .http2_keepalive_timeout(Some(SILENT))
            .serve_with_incoming(flight, incoming);
        tokio::select! {
            served = serving => served.map_err(|e| Error::io("serve on", listen)(io::Error::other(e))),
            _ = ended => Ok(()),
        }
    });
    // A query that is under way puts away its temporary files.
    service.end();
    let _ = runtime.block_on(async {
        tokio::time::timeout(ENDING, service.served.lock())
            .await
            .map(drop)
    });
    runtime.shutdown_timeout(Duration::ZERO);
    done
}

/// Lets in who shows a certificate of the secret.
async fn door(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    give: mpsc::Sender<TlsStream<TcpStream>>,
    tell: Told,
) {
    let mut waiting: VecDeque<(SocketAddr, AbortHandle)> = VecDeque::new();
    loop {
        let (tcp, peer) = match listener.accept().await {
            Ok(came) => came,
            Err(_) => {
                // Too many files are open, or the peer has gone: neither lasts.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        waiting.retain(|(_, one)| !one.is_finished());
        if waiting.len() >= AT_THE_DOOR
            && let Some((peer, longest)) = waiting.pop_front()
        {
            longest.abort();
            let why = "it was waiting to be let in, and too many others came".into();
            tell(Said::Refused { peer, why });
        }
        let (acceptor, give, tell) = (acceptor.clone(), give.clone(), Arc::clone(&tell));
        let shown = tokio::spawn(async move {
            // Small answers are not held back; without it they come all the same.
            let _ = tcp.set_nodelay(true);
            let shown = tokio::time::timeout(SHOWN, acceptor.accept(tcp)).await;
            let why = match shown {
                // Nobody takes it when the worker ends.
                Ok(Ok(tls)) => return drop(give.send(tls).await),
                Ok(Err(e)) => format!("it does not know the secret ({e})"),
                Err(_) => format!("it has not shown within {} s who it is", SHOWN.as_secs()),
            };
            tell(Said::Refused { peer, why });
        });
        waiting.push_back((peer, shown.abort_handle()));
    }
}

struct Shared {
    archive: PathBuf,
    own: Options,
    build: String,
    tell: Told,
    /// Held by the queries of a coordinator.
    served: Arc<AsyncMutex<()>>,
    /// Ends the queries at hand.
    stop: Mutex<Stop>,
    /// Nobody more is served.
    ending: AtomicBool,
}

impl Shared {
    fn end(&self) {
        self.ending.store(true, Ordering::SeqCst);
        self.stop
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .stop();
    }
}

struct Worker(Arc<Shared>);

/// Ends the queries of a coordinator that has gone.
struct Gone(Stop);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Somebody no longer listens.
fn unheard() -> Error {
    Error::Stopped
}

/// What a coordinator is told.
struct Line {
    say: mpsc::Sender<Result<FlightData, Status>>,
    /// The folder of temporary files here.
    temp: Option<PathBuf>,
}

impl Line {
    fn say(&self, reply: &Reply, body: impl Into<Bytes>) -> Result<()> {
        let message = message(reply, body)?;
        self.say.blocking_send(Ok(message)).map_err(|_| unheard())
    }

    /// An error as it is told: a folder that is not named is one of this machine.
    fn fault(&self, e: Error) -> Fault {
        Fault::of(&match e {
            Error::Temporary {
                reason,
                folder: None,
            } => Error::Temporary {
                reason,
                folder: self.temp.clone(),
            },
            e => e,
        })
    }

    /// Sends an answer of a hunt.
    fn answer(&self, job: usize, (answer, took): Answered) -> Result<bool> {
        let sent = answer.and_then(|answer| self.rows(job, answer, took));
        match sent {
            Ok(()) => Ok(true),
            Err(Error::Stopped) => Err(unheard()),
            Err(e) => {
                let fault = self.fault(e);
                self.say(&Reply::Failed { job, fault, took }, Bytes::new())?;
                Ok(false)
            }
        }
    }

    fn rows(&self, job: usize, answer: Answer, took: Duration) -> Result<()> {
        self.say(&Reply::Schema(job), schema_bytes(&answer.schema)?)?;
        let mut sending = Sending::new(job, |reply, body| self.say(&reply, body));
        for batch in &answer.batches {
            sending.add(batch)?;
        }
        let done = Reply::Done {
            job,
            rows: sending.end()?,
            took,
            reads: answer.reads,
        };
        self.say(&done, Bytes::new())
    }
}

/// One coordinator's exchange, on a thread of its own.
struct Exchange {
    shared: Arc<Shared>,
    peer: String,
    line: Line,
    further: Mutex<mpsc::Receiver<FlightData>>,
    stop: Stop,
    /// Nobody else is served until it ends.
    _served: OwnedMutexGuard<()>,
}

impl Exchange {
    fn run(self, asks: Asks) {
        let tell = &self.shared.tell;
        tell(Said::Came(&self.peer));
        let done = match asks {
            Asks::Nothing => Ok(()),
            Asks::Hunt(orders) => self.hunt(&orders),
            Asks::Query(query) => self.query(&query),
        };
        if let Err(e) = done
            && !self.stop.is_set()
        {
            // Who has gone hears nothing.
            let refused = Reply::Refused(self.line.fault(e));
            let _ = self.line.say(&refused, Bytes::new());
        }
        tell(Said::Gone(&self.peer));
    }

    fn own(&self) -> Options {
        Options {
            stop: Some(self.stop.clone()),
            ..self.shared.own.clone()
        }
    }

    /// What is asked next; nothing when all was.
    fn further(&self) -> Option<FlightData> {
        let further = self.further.lock();
        further
            .unwrap_or_else(PoisonError::into_inner)
            .blocking_recv()
    }

    fn hunt(&self, orders: &hunt::Orders) -> Result<()> {
        let archive = Archive::open_to_ask(&self.shared.archive)?;
        let (mut answered, mut failed) = (0, 0);
        let mut work = |answer: &mut dyn FnMut(&[Job]) -> Vec<Answered>| {
            if self.line.say(&Reply::Opened, Bytes::new()).is_err() {
                return;
            }
            while let Some(message) = self.further() {
                let Ok(Jobs(jobs)) = said(&message) else {
                    return;
                };
                // Who is ended takes nothing more.
                if self.stop.is_set() || self.line.say(&Reply::Taken, Bytes::new()).is_err() {
                    return;
                }
                for job in &jobs {
                    (self.shared.tell)(Said::Began(&job.text));
                }
                for (number, answer) in answer(&jobs).into_iter().enumerate() {
                    // What was ended here, whatever it says of it, others answer.
                    if self.stop.is_set() {
                        return;
                    }
                    match self.line.answer(number, answer) {
                        Ok(true) => answered += 1,
                        Ok(false) => failed += 1,
                        Err(_) => return,
                    }
                }
            }
        };
        hunt::serve(&archive, orders, &self.own(), &mut work)?;
        (self.shared.tell)(Said::Ended { answered, failed });
        Ok(())
    }

    fn query(&self, query: &Query) -> Result<()> {
        let session = self.session(query)?;
        self.line.say(&Reply::Opened, Bytes::new())?;
        (self.shared.tell)(Said::Began(&query.text));
        let begun = Instant::now();
        let done = self.rows(&session, query, begun);
        let ended = match &done {
            Ok(()) => (1, 0),
            Err(_) => (0, 1),
        };
        (self.shared.tell)(Said::Ended {
            answered: ended.0,
            failed: ended.1,
        });
        if let Err(e) = done {
            if self.stop.is_set() {
                return Err(unheard());
            }
            let (fault, took) = (self.line.fault(e), begun.elapsed());
            let failed = Reply::Failed {
                job: 0,
                fault,
                took,
            };
            self.line.say(&failed, Bytes::new())?;
        }
        Ok(())
    }

    fn session(&self, query: &Query) -> Result<Session> {
        let archive = Archive::open_to_ask(&self.shared.archive)?;
        let options = Options {
            from: query.window.from,
            to: query.window.to,
            now: Some(query.now),
            seen: query.seen,
            timeout: query.timeout,
            columns: match query.all_columns {
                true => Columns::All,
                false => Columns::Product,
            },
            ..self.own()
        };
        hunt::open_as(&archive, &options, &query.archive)
    }

    fn rows(&self, session: &Session, query: &Query, begun: Instant) -> Result<()> {
        session.begin();
        let how = kql::Options {
            now: query
                .now
                .saturating_mul(10)
                .saturating_add(UNIX_EPOCH_TICKS),
            functions: query.functions.clone(),
            ..kql::Options::default()
        };
        let planned = session.ask(&Question {
            language: match query.language {
                rules::Language::Sql => Language::Sql,
                rules::Language::Kql => Language::Kql(&how),
                rules::Language::Sigma => {
                    return Err(Error::Usage("a rule in Sigma is asked in KQL".into()));
                }
            },
            text: &query.text,
            window: query.window,
            now: query.now,
        })?;
        let said = Reply::Planned {
            reads: planned.reads,
            notes: planned.notes,
        };
        self.line.say(&said, Bytes::new())?;
        let schema = output::schema(&planned.frame);
        self.line.say(&Reply::Schema(0), schema_bytes(&schema)?)?;
        let mut sending = Sending::new(0, |reply, body| self.line.say(&reply, body));
        session.stream(planned.frame, |batch| sending.add(batch))?;
        let done = Reply::Done {
            job: 0,
            rows: sending.end()?,
            took: begun.elapsed(),
            reads: Vec::new(),
        };
        self.line.say(&done, Bytes::new())
    }
}

impl Worker {
    /// What a coordinator wants, or what it is told instead.
    async fn asked(
        &self,
        incoming: &mut Streaming<FlightData>,
    ) -> Result<Result<Asks, Reply>, Status> {
        let first = tokio::time::timeout(SHOWN, incoming.message()).await;
        let late = |_| Status::deadline_exceeded("nothing was asked");
        let Some(first) = first.map_err(late)?? else {
            return Err(Status::invalid_argument("nothing was asked"));
        };
        let wrong = |e: Error| Status::invalid_argument(e.to_string());
        let First { build, asks } = said(&first).map_err(wrong)?;
        if build != self.0.build {
            return Ok(Err(Reply::Other(self.0.build.clone())));
        }
        match serde_json::from_value(asks) {
            Ok(asks) => Ok(Ok(asks)),
            Err(e) => Err(Status::invalid_argument(e.to_string())),
        }
    }

    /// Begins with what is asked; what is said of it comes by the channel.
    fn begin(
        &self,
        asks: Asks,
        peer: String,
        served: OwnedMutexGuard<()>,
        mut incoming: Streaming<FlightData>,
    ) -> Result<(mpsc::Receiver<Result<FlightData, Status>>, Gone), Status> {
        let stop = Stop::default();
        *self.0.stop.lock().unwrap_or_else(PoisonError::into_inner) = stop.clone();
        // After it is where `end` finds it.
        if self.0.ending.load(Ordering::SeqCst) {
            return Err(Status::unavailable("the worker is being ended"));
        }
        let (say, hear) = mpsc::channel(AHEAD);
        let (give, further) = mpsc::channel(1);
        let lost = stop.clone();
        tokio::spawn(async move {
            loop {
                match incoming.message().await {
                    // It has ended where nobody takes it.
                    Ok(Some(message)) => {
                        if give.send(message).await.is_err() {
                            return;
                        }
                    }
                    // All was asked.
                    Ok(None) => return,
                    Err(_) => return lost.stop(),
                }
            }
        });
        let exchange = Exchange {
            shared: Arc::clone(&self.0),
            peer,
            line: Line {
                say,
                temp: self.0.own.temp.clone(),
            },
            further: Mutex::new(further),
            stop: stop.clone(),
            _served: served,
        };
        std::thread::Builder::new()
            .name("asked".into())
            .stack_size(STACK)
            .spawn(move || exchange.run(asks))
            .map_err(|e| Status::resource_exhausted(e.to_string()))?;
        Ok((hear, Gone(stop)))
    }
}

/// One reply and no more.
fn only(reply: &Reply) -> Result<Response<Answers<FlightData>>, Status> {
    let reply = message(reply, Bytes::new()).map_err(|e| Status::internal(e.to_string()))?;
    Ok(Response::new(stream::iter([Ok(reply)]).boxed()))
}

fn not_here<T>() -> Result<T, Status> {
    Err(Status::unimplemented(
        "a worker of coldtrail answers `coldtrail --cluster` alone",
    ))
}

#[tonic::async_trait]
impl FlightService for Worker {
    type HandshakeStream = Answers<HandshakeResponse>;
    type ListFlightsStream = Answers<FlightInfo>;
    type DoGetStream = Answers<FlightData>;
    type DoPutStream = Answers<PutResult>;
    type DoExchangeStream = Answers<FlightData>;
    type DoActionStream = Answers<arrow_flight::Result>;
    type ListActionsStream = Answers<ActionType>;

    async fn do_exchange(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        let none = || Status::internal("a connection without an address");
        let peer = request.remote_addr().ok_or_else(none)?;
        let refuse = |why: &str, reply: &Reply| {
            let why = why.to_string();
            (self.0.tell)(Said::Refused { peer, why });
            only(reply)
        };
        let mut incoming = request.into_inner();
        let asks = match self.asked(&mut incoming).await? {
            Ok(Asks::Nothing) => return only(&Reply::Opened),
            Ok(asks) => asks,
            Err(instead) => return refuse("it is another build of coldtrail", &instead),
        };
        let served = Arc::clone(&self.0.served).lock_owned();
        let Ok(served) = tokio::time::timeout(ENDING, served).await else {
            return refuse("somebody else is served", &Reply::Busy);
        };
        let heard = self.begin(asks, peer.to_string(), served, incoming)?;
        // Who no longer listens drops it, and with it what ends the queries.
        let answers = stream::unfold(heard, |(mut hear, gone)| async {
            hear.recv().await.map(|reply| (reply, (hear, gone)))
        });
        Ok(Response::new(answers.boxed()))
    }

    async fn handshake(
        &self,
        _: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        not_here()
    }

    async fn list_flights(
        &self,
        _: Request<Criteria>,
    ) -> Result<Response<Self::ListFlightsStream>, Status> {
        not_here()
    }

    async fn get_flight_info(
        &self,
        _: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        not_here()
    }

    async fn poll_flight_info(
        &self,
        _: Request<FlightDescriptor>,
    ) -> Result<Response<PollInfo>, Status> {
        not_here()
    }

    async fn get_schema(
        &self,
        _: Request<FlightDescriptor>,
    ) -> Result<Response<SchemaResult>, Status> {
        not_here()
    }

    async fn do_get(&self, _: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        not_here()
    }

    async fn do_put(
        &self,
        _: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoPutStream>, Status> {
        not_here()
    }

    async fn do_action(
        &self,
        _: Request<Action>,
    ) -> Result<Response<Self::DoActionStream>, Status> {
        not_here()
    }

    async fn list_actions(
        &self,
        _: Request<Empty>,
    ) -> Result<Response<Self::ListActionsStream>, Status> {
        not_here()
    }
}
