//! The equations of one circle: `part = given + sum of link weights times parts`, all of it non-negative.
//!
//! When every company's shares come to at most the whole and something comes in from outside, the solution is unique
//! and positive. Sweeps from below approach it, fast unless nearly everything stays in the circle; then it is eliminated.

use crate::Fraction;

/// `parts[to]` contains `weight * parts[from]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link<W> {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) weight: W,
}

/// Sweeps until nothing moves by more than this, relative to the largest part.
const STILL: f64 = 1e-15;
/// Shallow circles are still after twenty sweeps or so.
const SWEEPS_MAX: usize = 100;
/// Eliminating so many takes a fraction of a second; larger circles are swept on.
const ELIMINATE_MAX: usize = 600;
/// And no longer than that many steps in all, about a second.
const STEPS_MAX: usize = 500_000_000;
/// Fractions outgrow 64 bits long before.
const EXACT_MAX: usize = 24;

/// With no part above one.
pub(crate) fn solve_nearly(given: &[f64], links: &[Link<f64>]) -> Vec<f64> {
    let mut parts = solve(given, links, 1.0);
    for part in &mut parts {
        *part = part.min(1.0);
    }
    parts
}

/// With parts as they come, but finite.
pub(crate) fn solve_uncapped(given: &[f64], links: &[Link<f64>]) -> Vec<f64> {
    solve(given, links, 1e6)
}

fn solve(given: &[f64], links: &[Link<f64>], cap: f64) -> Vec<f64> {
    if links.is_empty() || given.iter().all(|&part| part == 0.0) {
        return given.to_vec();
    }
    let mut links = links.to_vec();
    links.sort_unstable_by_key(|link| (link.to, link.from));
    let mut parts = given.to_vec();
    if sweep(given, &links, &mut parts, cap, SWEEPS_MAX) {
        return parts;
    }
    if given.len() <= ELIMINATE_MAX
        && let Some(parts) = eliminate(given, &links)
    {
        return parts;
    }
    sweep(given, &links, &mut parts, cap, STEPS_MAX / (links.len() + given.len()));
    parts
}

/// Repeats the equations in place; whether they have come to rest.
fn sweep(given: &[f64], links: &[Link<f64>], parts: &mut [f64], cap: f64, sweeps: usize) -> bool {
    for _ in 0..sweeps {
        let (mut moved, mut largest) = (0.0_f64, 0.0_f64);
        let mut rest = links;
        for place in 0..given.len() {
            let (of_this, others) = rest.split_at(rest.iter().take_while(|link| link.to == place).count());
            rest = others;
            let (mut sum, mut own) = (given[place], 0.0);
            for link in of_this {
                if link.from == place {
                    own += link.weight;
                } else {
                    sum += link.weight * parts[link.from];
                }
            }
            if own > 0.0 && sum > 0.0 {
                sum = if own < 1.0 { sum / (1.0 - own) } else { cap };
            }
            let part = sum.min(cap);
            moved = moved.max((part - parts[place]).abs());
            largest = largest.max(part);
            parts[place] = part;
        }
        if moved <= STILL * largest {
            return true;
        }
    }
    false
}

/// Gauss without pivoting, which is stable here (an M-matrix). `None` if a pivot shows that the circle is closed, or
/// that its shares exceed the whole.
fn eliminate(given: &[f64], links: &[Link<f64>]) -> Option<Vec<f64>> {
    let size = given.len();
    let mut rows = vec![vec![0.0; size + 1]; size];
    for (place, row) in rows.iter_mut().enumerate() {
        row[place] = 1.0;
        row[size] = given[place];
    }
    for link in links {
        rows[link.to][link.from] -= link.weight;
    }
    for pivot in 0..size {
        let above = std::mem::take(&mut rows[pivot]);
        if above[pivot] <= 1e-12 {
            return None;
        }
        for row in rows.iter_mut().skip(pivot + 1) {
            let factor = row[pivot] / above[pivot];
            if factor != 0.0 {
                row.iter_mut().zip(&above).skip(pivot).for_each(|(cell, from)| *cell -= factor * from);
            }
        }
        rows[pivot] = above;
    }
    let mut parts = vec![0.0; size];
    for place in (0..size).rev() {
        let known: f64 = (place + 1..size).map(|other| rows[place][other] * parts[other]).sum();
        parts[place] = (rows[place][size] - known) / rows[place][place];
    }
    Some(parts)
}

/// The solution in fractions; `None` if it is too fine, or if there is none.
///
/// Companies are eliminated one by one: the part of the eliminated is put into the equations of those it holds, and
/// what it holds in itself is divided out. So nothing negative ever appears.
pub(crate) fn solve_exactly(given: &[Fraction], links: &[Link<Fraction>]) -> Option<Vec<Fraction>> {
    let size = given.len();
    if links.is_empty() || given.iter().all(|&part| part == Fraction::ZERO) {
        return Some(given.to_vec());
    }
    if size > EXACT_MAX {
        return None;
    }
    let mut given = given.to_vec();
    let mut weights = vec![vec![Fraction::ZERO; size]; size];
    for link in links {
        weights[link.to][link.from] = weights[link.to][link.from].checked_add(link.weight)?;
    }
    for out in 0..size {
        let own = std::mem::replace(&mut weights[out][out], Fraction::ZERO);
        if own != Fraction::ZERO {
            let rest = Fraction::ONE.checked_sub(own).filter(|&rest| rest != Fraction::ZERO)?;
            given[out] = given[out].checked_div(rest)?;
            for weight in &mut weights[out] {
                *weight = weight.checked_div(rest)?;
            }
        }
        let row = weights[out].clone();
        for to in (0..size).filter(|&to| to != out) {
            let factor = std::mem::replace(&mut weights[to][out], Fraction::ZERO);
            if factor == Fraction::ZERO {
                continue;
            }
            given[to] = given[to].checked_add(factor.checked_mul(given[out])?)?;
            for (weight, &from) in weights[to].iter_mut().zip(&row) {
                *weight = weight.checked_add(factor.checked_mul(from)?)?;
            }
        }
    }
    // Every equation now names only its own given part.
    Some(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(percent: u32) -> Fraction {
        Fraction::percent(percent)
    }

    #[test]
    fn the_three_ways_agree() {
        type Case<'a> = (&'a [u32], &'a [(usize, usize, u32)]);
        let cases: &[Case<'_>] = &[
            (&[51, 0], &[(0, 1, 51), (1, 0, 30)]),
            (&[35, 0, 10], &[(0, 0, 40), (0, 1, 60), (1, 2, 70), (2, 1, 40)]),
            (&[1, 0, 0], &[(0, 1, 100), (1, 2, 100), (2, 0, 99)]),
            (&[0, 0], &[(0, 1, 100), (1, 0, 100)]),
        ];
        for (given, links) in cases {
            let exact: Vec<Fraction> = given.iter().map(|&part| percent(part)).collect();
            let exact_links: Vec<Link<Fraction>> =
                links.iter().map(|&(from, to, weight)| Link { from, to, weight: percent(weight) }).collect();
            let near: Vec<f64> = exact.iter().map(|part| part.to_f64()).collect();
            let mut near_links: Vec<Link<f64>> = exact_links
                .iter()
                .map(|link| Link { from: link.from, to: link.to, weight: link.weight.to_f64() })
                .collect();
            near_links.sort_unstable_by_key(|link| (link.to, link.from));
            let exactly = solve_exactly(&exact, &exact_links).unwrap();
            let swept = solve_uncapped(&near, &near_links);
            for (place, part) in exactly.iter().enumerate() {
                assert!(
                    (part.to_f64() - swept[place]).abs() < 1e-9,
                    "{given:?} {links:?}: {exactly:?} {swept:?}"
                );
            }
            if let Some(eliminated) = eliminate(&near, &near_links) {
                for (a, b) in eliminated.iter().zip(&swept) {
                    assert!((a - b).abs() < 1e-9, "{given:?} {links:?}");
                }
            }
        }
    }

    #[test]
    fn a_closed_circle_has_no_solution_in_fractions() {
        let links =
            [Link { from: 0, to: 1, weight: Fraction::ONE }, Link { from: 1, to: 0, weight: Fraction::ONE }];
        assert_eq!(solve_exactly(&[percent(1), Fraction::ZERO], &links), None);
        assert_eq!(solve_nearly(&[0.01, 0.0], &[]), [0.01, 0.0]);
    }
}
