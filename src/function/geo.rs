//! Places on Earth, taken for a sphere as Kusto does: distances, directions, circles, polygons, geohashes.
//!
//! Whether the lines of a polygon cross is not looked at.

use std::f64::consts::{PI, TAU};

use super::arguments::{Want, json_bag, json_text, long, or_null, real, take, text};
use super::definition::{BARE, Function};
use super::environment::Env;
use crate::function::value::{Json, Type, Value};

/// Metres; it gives the digits of Kusto's documentation.
const EARTH_RADIUS: f64 = 6_371_010.0;
/// Digits of a geohash.
const GEOHASH: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
/// Most characters of a geohash.
const MAX_GEOHASH: i64 = 18;

/// A point of the sphere as a vector of length 1.
#[derive(Clone, Copy, PartialEq)]
struct Point([f64; 3]);

impl Point {
    /// Nothing where there is no such place.
    fn at(longitude: f64, latitude: f64) -> Option<Point> {
        let known = longitude.abs() <= 180.0 && latitude.abs() <= 90.0;
        let (longitude, latitude) = (longitude.to_radians(), latitude.to_radians());
        let ring = latitude.cos();
        known.then(|| {
            Point([
                ring * longitude.cos(),
                ring * longitude.sin(),
                latitude.sin(),
            ])
        })
    }

    fn argument(a: &[Value], at: usize) -> Option<Point> {
        Point::at(real(a, at)?, real(a, at + 1)?)
    }

    /// `[longitude, latitude]`
    fn read(json: &Json) -> Option<Point> {
        let number = |json: &Json| Value::dynamic(json.clone()).to_real();
        match json.array()? {
            [longitude, latitude] => Point::at(number(longitude)?, number(latitude)?),
            _ => None,
        }
    }

    fn dot(self, other: Point) -> f64 {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        a * x + b * y + c * z
    }

    fn cross(self, other: Point) -> Point {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        Point([b * z - c * y, c * x - a * z, a * y - b * x])
    }

    fn angle(self, other: Point) -> f64 {
        let across = self.cross(other);
        across.dot(across).sqrt().atan2(self.dot(other))
    }

    /// The angle from one point to another as seen from here, against the clock.
    fn turn(self, from: Point, to: Point) -> f64 {
        let (from, to) = (self.cross(from), self.cross(to));
        self.dot(from.cross(to)).atan2(from.dot(to))
    }
}

fn distance(a: &[Value]) -> Option<f64> {
    Some(Point::argument(a, 0)?.angle(Point::argument(a, 2)?) * EARTH_RADIUS)
}

/// Nothing where the points are one, or opposite.
fn azimuth(a: &[Value]) -> Option<f64> {
    let (from, to) = (Point::argument(a, 0)?, Point::argument(a, 2)?);
    let across = from.cross(to);
    if across.dot(across) < 1e-30 {
        return None;
    }
    Some((-from.turn(Point([0.0, 0.0, 1.0]), to)).rem_euclid(TAU))
}

fn in_circle(a: &[Value]) -> Option<bool> {
    let radius = real(a, 4).filter(|radius| *radius > 0.0)?;
    Some(distance(a)? <= radius)
}

/// The corners of a ring, each once; nothing where there is none.
fn ring(json: &Json) -> Option<Vec<Point>> {
    let mut points: Vec<Point> = json
        .array()?
        .iter()
        .map(Point::read)
        .collect::<Option<_>>()?;
    let last = points.pop()?;
    let closed = points.len() >= 3 && points.first() == Some(&last);
    let mut sorted: Vec<[f64; 3]> = points.iter().map(|point| point.0).collect();
    sorted.sort_by(|a, b| {
        let mut orders = a.iter().zip(b).map(|(a, b)| a.total_cmp(b));
        orders
            .find(|order| order.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    let distinct = sorted.windows(2).all(|pair| pair.first() != pair.last());
    (closed && distinct).then_some(points)
}

/// Whether a ring goes round a point, on the side where the smaller part of the sphere is.
fn encloses(ring: &[Point], point: Point) -> bool {
    let Some(&first) = ring.first() else {
        return false;
    };
    let next = ring.iter().cycle().skip(1);
    let (mut turns, mut area) = (0.0, 0.0);
    for (&a, &b) in ring.iter().zip(next) {
        turns += point.turn(a, b);
        // The triangle with the first corner; see Oosterom and Strackee 1983.
        let volume = first.dot(a.cross(b));
        area += 2.0 * volume.atan2(1.0 + first.dot(a) + a.dot(b) + b.dot(first));
    }
    // The area on the left of the ring, as the lesser of it and of what is on the right of it.
    let area = (area + TAU).rem_euclid(2.0 * TAU) - TAU;
    turns.abs() > PI && (turns > 0.0) == (area > 0.0)
}

/// A polygon: a ring, and rings that are holes in it.
fn polygon(json: &Json) -> Option<Vec<Vec<Point>>> {
    let rings: Vec<_> = json.array()?.iter().map(ring).collect::<Option<_>>()?;
    (!rings.is_empty()).then_some(rings)
}

fn in_polygon(a: &[Value]) -> Option<bool> {
    let point = Point::argument(a, 0)?;
    let Value::Dynamic(shape) = a.get(2)? else {
        return None;
    };
    let coordinates = shape.member("coordinates")?;
    let polygons = match shape.member("type")? {
        Json::String(name) if **name == *"Polygon" => vec![polygon(coordinates)?],
        Json::String(name) if **name == *"MultiPolygon" => {
            let all = coordinates.array()?.iter().map(polygon);
            all.collect::<Option<_>>()?
        }
        _ => return None,
    };
    let inside = |rings: &Vec<Vec<Point>>| {
        let (shell, holes) = rings.split_at(1);
        shell.iter().all(|shell| encloses(shell, point))
            && !holes.iter().any(|hole| encloses(hole, point))
    };
    Some(polygons.iter().any(inside))
}

/// Halves of longitude and latitude in turn, five of them in a character.
fn geohash(longitude: f64, latitude: f64, length: i64) -> String {
    let (mut x, mut y) = ((-180.0, 180.0), (-90.0, 90.0));
    let character = |i: i64| {
        let digit = (0..5).fold(0usize, |digit, bit| {
            let east = (i * 5 + bit) % 2 == 0;
            let (range, value) = match east {
                true => (&mut x, longitude),
                false => (&mut y, latitude),
            };
            let middle = f64::midpoint(range.0, range.1);
            let above = value >= middle;
            match above {
                true => range.0 = middle,
                false => range.1 = middle,
            }
            digit * 2 + usize::from(above)
        });
        char::from(GEOHASH[digit % GEOHASH.len()])
    };
    (0..length).map(character).collect()
}

/// West, east, south and north of a geohash; nothing where it is none.
fn geohash_bounds(hash: &str) -> Option<[f64; 4]> {
    let length = i64::try_from(hash.len()).ok()?;
    if !(1..=MAX_GEOHASH).contains(&length) {
        return None;
    }
    let (mut x, mut y) = ((-180.0, 180.0), (-90.0, 90.0));
    let mut east = true;
    for byte in hash.bytes() {
        let byte = byte.to_ascii_lowercase();
        let digit = GEOHASH.iter().position(|known| *known == byte)?;
        for bit in (0..5).rev() {
            let range = if east { &mut x } else { &mut y };
            let middle = f64::midpoint(range.0, range.1);
            match digit >> bit & 1 {
                1 => range.0 = middle,
                _ => range.1 = middle,
            }
            east = !east;
        }
    }
    Some([x.0, x.1, y.0, y.1])
}

/// GeoJSON.
fn shape(name: &str, coordinates: Json) -> Value {
    Value::dynamic(json_bag([
        ("type", json_text(name)),
        ("coordinates", coordinates),
    ]))
}

fn place(longitude: f64, latitude: f64) -> Json {
    Json::Array(vec![Json::Real(longitude), Json::Real(latitude)])
}

const DISTANCE: Function = Function {
    name: "geo_distance_2points",
    arguments: (4, 4),
    doc: "geo_distance_2points(longitude, latitude, longitude, latitude): metres between two places on a sphere; null of what is none",
    example: "print x = round(geo_distance_2points(-122.407628, 47.578557, -118.275287, 34.019056), 3)",
    answer: "1546754.352",
    ty: |a| take(a, &[Want::Number], Type::Real),
    eval: |_, a| or_null(distance(a)),
    ..BARE
};

const CENTRE: Function = Function {
    name: "geo_geohash_to_central_point",
    arguments: (1, 1),
    doc: "geo_geohash_to_central_point(geohash): the place in its middle, in GeoJSON; null of what is none",
    example: "print x = geo_geohash_to_central_point(\"sunny\")",
    answer: "{\"type\":\"Point\",\"coordinates\":[42.47314453125,23.70849609375]}",
    ty: |a| take(a, &[Want::Text], Type::Dynamic),
    eval: |_, a| match geohash_bounds(&text(a, 0)) {
        Some([west, east, south, north]) => shape(
            "Point",
            place(f64::midpoint(west, east), f64::midpoint(south, north)),
        ),
        None => Value::Null,
    },
    ..BARE
};

fn info(env: &Env, arguments: &[Value]) -> Option<Value> {
    let address = text(arguments, 0).parse().ok()?;
    let location = env.geography.as_ref()?.locate(address)?;
    let (longitude, latitude) = match location.position {
        Some((longitude, latitude)) => (Json::Real(longitude), Json::Real(latitude)),
        None => (Json::Null, Json::Null),
    };
    Some(Value::dynamic(json_bag([
        ("country", json_text(location.country)),
        ("state", json_text(location.state)),
        ("city", json_text(location.city)),
        ("latitude", latitude),
        ("longitude", longitude),
    ])))
}

pub(super) const TABLE: &[Function] = &[
    Function {
        name: "geo_info_from_ip_address",
        arguments: (1, 1),
        needs_geography: true,
        doc: "geo_info_from_ip_address(address): country, state, city, latitude and longitude of an address, from the file given by --geoip; null where it is not known",
        example: "print x = geo_info_from_ip_address('192.0.2.300')",
        answer: "",
        ty: |a| take(a, &[Want::Text], Type::Dynamic),
        eval: |env, a| info(env, a).unwrap_or_default(),
        ..BARE
    },
    DISTANCE,
    Function {
        name: "geo_azimuth",
        doc: "geo_azimuth(longitude, latitude, longitude, latitude): the direction of the second place from the first, in radians from north to east",
        example: "print x = round(geo_azimuth(5, 10, 10, -40), 6)",
        answer: "3.054599",
        body: None,
        eval: |_, a| or_null(azimuth(a)),
        ..DISTANCE
    },
    Function {
        name: "geo_point_in_circle",
        arguments: (5, 5),
        doc: "geo_point_in_circle(longitude, latitude, longitude, latitude, radius): whether the first place is so many metres or less from the second",
        example: "print x = geo_point_in_circle(-122.201741, 47.677084, -122.317404, 47.609119, 18000)",
        answer: "True",
        ty: |a| take(a, &[Want::Number], Type::Bool),
        eval: |_, a| or_null(in_circle(a)),
        ..BARE
    },
    Function {
        name: "geo_point_in_polygon",
        arguments: (3, 3),
        doc: "geo_point_in_polygon(longitude, latitude, polygon): whether the place is inside of a Polygon or MultiPolygon of GeoJSON",
        example: "print x = geo_point_in_polygon(2, 1, dynamic({\"type\":\"Polygon\",\"coordinates\":[[[0,0],[10,0],[10,10],[0,0]]]}))",
        answer: "True",
        ty: |a| take(a, &[Want::Number, Want::Number, Want::Dynamic], Type::Bool),
        eval: |_, a| or_null(in_polygon(a)),
        ..BARE
    },
    Function {
        name: "geo_point_to_geohash",
        arguments: (2, 3),
        doc: "geo_point_to_geohash(longitude, latitude, accuracy = 5): the geohash of the place, so many characters; empty of what is none",
        example: "print x = geo_point_to_geohash(-80.195829, 25.802215, 8)",
        answer: "dhwfz15h",
        ty: |a| {
            take(
                a,
                &[Want::Number, Want::Number, Want::Integer],
                Type::String,
            )
        },
        eval: |_, a| {
            let length = a.get(2).map_or(Some(5), |_| long(a, 2));
            let hash = || {
                let length = length.filter(|length| (1..=MAX_GEOHASH).contains(length))?;
                Point::argument(a, 0)?;
                Some(geohash(real(a, 0)?, real(a, 1)?, length))
            };
            Value::from(hash().unwrap_or_default())
        },
        ..BARE
    },
    CENTRE,
    Function {
        name: "geo_geohash_to_polygon",
        doc: "geo_geohash_to_polygon(geohash): its area as a Polygon of GeoJSON; null of what is none",
        example: "print x = geo_geohash_to_polygon(\"s\").coordinates[0][2]",
        answer: "[45.0,45.0]",
        body: None,
        eval: |_, a| match geohash_bounds(&text(a, 0)) {
            Some([west, east, south, north]) => {
                let corners = [
                    (west, south),
                    (east, south),
                    (east, north),
                    (west, north),
                    (west, south),
                ];
                let corners = corners.map(|(longitude, latitude)| place(longitude, latitude));
                shape("Polygon", Json::Array(vec![Json::Array(corners.to_vec())]))
            }
            None => Value::Null,
        },
        ..CENTRE
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(longitude: f64, latitude: f64, shape: &str) -> Option<bool> {
        let shape = Value::dynamic(Json::parse(shape).unwrap_or_default());
        in_polygon(&[longitude.into(), latitude.into(), shape])
    }

    #[test]
    fn places_are_inside_of_polygons() {
        let square = r#"{"type":"Polygon","coordinates":[[[0,0],[10,0],[10,10],[0,10],[0,0]],[[4,4],[4,6],[6,6],[6,4],[4,4]]]}"#;
        let clockwise = r#"{"type":"Polygon","coordinates":[[[0,0],[0,10],[10,10],[10,0],[0,0]]]}"#;
        let date_line = r#"{"type":"MultiPolygon","coordinates":[[[[170,-10],[-170,-10],[-170,10],[170,10],[170,-10]]]]}"#;
        let pole = r#"{"type":"Polygon","coordinates":[[[0,80],[120,80],[-120,80],[0,80]]]}"#;
        for (longitude, latitude, shape, expected) in [
            (1.0, 1.0, square, true),
            (5.0, 5.0, square, false),
            (11.0, 5.0, square, false),
            (-179.0, -1.0, square, false),
            (5.0, 5.0, clockwise, true),
            (-5.0, 5.0, clockwise, false),
            (-175.0, -5.0, clockwise, false),
            (179.0, 0.0, date_line, true),
            (0.0, 0.0, date_line, false),
            (33.0, 90.0, pole, true),
            (33.0, -90.0, pole, false),
            (0.0, 70.0, pole, false),
        ] {
            assert_eq!(
                inside(longitude, latitude, shape),
                Some(expected),
                "{longitude} {latitude}"
            );
        }
    }

    #[test]
    fn what_is_no_polygon_is_null() {
        for shape in [
            r#"{"type":"Polygon","coordinates":[[[0,0],[10,10],[10,10],[0,0]]]}"#,
            r#"{"type":"Polygon","coordinates":[[[0,0],[10,10],[10,1]]]}"#,
            r#"{"type":"Polygon","coordinates":[]}"#,
            r#"{"type":"Polygon","coordinates":[[[0,0],[200,10],[10,1],[0,0]]]}"#,
            r#"{"type":"Point","coordinates":[0,0]}"#,
            "[]",
        ] {
            assert_eq!(inside(1.0, 1.0, shape), None, "{shape}");
        }
        let square = r#"{"type":"Polygon","coordinates":[[[0,0],[10,0],[10,10],[0,0]]]}"#;
        assert_eq!(inside(200.0, 1.0, square), None);
        assert_eq!(inside(f64::NAN, 1.0, square), None);
    }

    #[test]
    fn directions_are_those_of_kusto() {
        let at = |places: [f64; 4]| azimuth(&places.map(Value::from));
        let south = at([5.0, 10.0, 10.0, -40.0]);
        assert!(south.is_some_and(|angle| (angle - 3.054_599_397_964_492).abs() < 1e-14));
        assert_eq!(at([5.0, 10.0, 5.0, 10.0]), None);
        assert_eq!(at([5.0, 10.0, -175.0, -10.0]), None);
        assert!(at([0.0, 0.0, -1.0, 0.0]).is_some_and(|angle| (angle - 1.5 * PI).abs() < 1e-12));
    }
}
