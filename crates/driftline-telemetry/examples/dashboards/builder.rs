//! The pieces of a Grafana dashboard, as JSON.

use serde_json::{Value, json};

/// Columns of Grafana's grid.
const GRID_WIDTH: u32 = 24;

/// How a panel draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One big number.
    Stat,
    /// Lines over time.
    Lines,
    /// Stacked areas over time.
    Areas,
    /// A coloured bar for each series, 0 or 1 over time.
    States,
    /// The latest values, sorted.
    Table,
}

/// One panel.
#[derive(Clone, Debug)]
pub(crate) struct Panel {
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
    pub(crate) kind: Kind,
    pub(crate) unit: &'static str,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// PromQL and the legend.
    pub(crate) targets: Vec<(String, &'static str)>,
    /// Names for the values 0 and 1.
    pub(crate) words: Option<[&'static str; 2]>,
    /// Whether lines are drawn from zero on, as shares and counts are.
    pub(crate) from_zero: bool,
}

/// A variable whose values come from a label.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variable {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    /// The series whose label is asked for.
    pub(crate) series: &'static str,
    pub(crate) multi: bool,
}

/// A dashboard in rows of panels.
#[derive(Clone, Debug)]
pub(crate) struct Dashboard {
    pub(crate) uid: &'static str,
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
    pub(crate) variables: Vec<Variable>,
    /// PromQL of the moments to mark, and what to write there.
    pub(crate) annotation: (String, &'static str),
    pub(crate) rows: Vec<(&'static str, Vec<Panel>)>,
}

impl Dashboard {
    /// The file's name.
    pub(crate) fn file(&self) -> String {
        format!("{}.json", self.uid)
    }

    /// Every query with its variables replaced by values that match all series.
    pub(crate) fn queries(&self) -> Vec<String> {
        let panels = self.rows.iter().flat_map(|(_, panels)| panels);
        let targets = panels.flat_map(|p| p.targets.iter().map(|(expr, _)| expr.clone()));
        let variables = self.variables.iter().map(|v| v.series.to_owned());
        let all = variables.chain([self.annotation.0.clone()]).chain(targets);
        all.map(|query| self.replaced(&query)).collect()
    }

    fn replaced(&self, query: &str) -> String {
        let query = query.replace("$__rate_interval", "1m");
        // The longest names first: `$model` begins `$model_version`.
        let mut names: Vec<&str> = self.variables.iter().map(|v| v.name).collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        names
            .iter()
            .fold(query, |q, name| q.replace(&format!("${name}"), ".*"))
    }

    /// The JSON that Grafana loads.
    pub(crate) fn json(&self) -> Value {
        let mut panels = Vec::new();
        let (mut id, mut y) = (1, 0);
        for (title, row) in &self.rows {
            panels.push(json!({
                "id": id, "type": "row", "title": title, "collapsed": false, "panels": [],
                "gridPos": {"x": 0, "y": y, "w": GRID_WIDTH, "h": 1},
            }));
            (id, y) = (id + 1, y + 1);
            let (mut x, mut tallest) = (0, 0);
            for panel in row {
                if x + panel.width > GRID_WIDTH {
                    (x, y, tallest) = (0, y + tallest, 0);
                }
                panels.push(panel.json(id, x, y));
                id += 1;
                x += panel.width;
                tallest = tallest.max(panel.height);
            }
            y += tallest;
        }
        self.frame(&panels)
    }

    fn frame(&self, panels: &[Value]) -> Value {
        let mut variables = vec![json!({
            "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
            "hide": 0, "includeAll": false, "multi": false, "options": [],
            "refresh": 1, "regex": "",
        })];
        variables.extend(self.variables.iter().map(Variable::json));
        json!({
            "uid": self.uid, "title": self.title, "description": self.description,
            "tags": ["driftline"], "schemaVersion": 41, "version": 1, "editable": false,
            "graphTooltip": 1, "refresh": "30s", "timezone": "browser", "fiscalYearStartMonth": 0,
            "time": {"from": "now-6h", "to": "now"}, "timepicker": {},
            "links": [{
                "type": "dashboards", "title": "Driftline", "tags": ["driftline"], "asDropdown": true,
                "includeVars": true, "keepTime": true, "targetBlank": false, "icon": "external link",
                "tooltip": "", "url": "",
            }],
            "annotations": {"list": [{
                "name": "Alerts", "enable": true, "hide": false, "iconColor": "#E69F00",
                "datasource": datasource(), "titleFormat": self.annotation.1,
                "target": {
                    "refId": "Annotation", "expr": self.annotation.0, "interval": "60s",
                    "legendFormat": self.annotation.1,
                },
            }]},
            "templating": {"list": variables},
            "panels": panels,
        })
    }
}

fn datasource() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}

impl Variable {
    fn json(&self) -> Value {
        let mut variable = json!({
            "name": self.name, "label": self.label, "type": "query", "datasource": datasource(),
            "query": {
                "query": format!("label_values({}, {})", self.series, self.name), "refId": "variable",
            },
            // 2: again when the time range changes, so that what is gone is not offered.
            "refresh": 2, "sort": 1, "hide": 0, "regex": "", "options": [], "skipUrlSync": false,
            "multi": self.multi, "includeAll": self.multi,
        });
        if self.multi {
            variable["allValue"] = json!(".+");
            variable["current"] = json!({"text": ["All"], "value": ["$__all"]});
        }
        variable
    }
}

impl Panel {
    fn json(&self, id: u32, x: u32, y: u32) -> Value {
        let table = self.kind == Kind::Table;
        let targets = self.targets.iter().enumerate().map(|(i, (expr, legend))| {
            json!({
                "refId": char::from(b'A' + i as u8).to_string(), "datasource": datasource(),
                "expr": expr, "legendFormat": legend, "instant": table, "range": !table,
                "format": if table { "table" } else { "time_series" }, "editorMode": "code",
            })
        });
        let (name, options) = self.options();
        json!({
            "id": id, "type": name, "title": self.title, "description": self.description,
            "datasource": datasource(),
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "targets": targets.collect::<Vec<_>>(),
            "fieldConfig": {"defaults": self.defaults(), "overrides": self.overrides()},
            "options": options, "transformations": self.transformations(),
        })
    }

    fn options(&self) -> (&'static str, Value) {
        let last = json!({"calcs": ["lastNotNull"], "fields": "", "values": false});
        match self.kind {
            Kind::Stat => (
                "stat",
                json!({
                    "colorMode": "value", "graphMode": "area", "justifyMode": "auto",
                    "orientation": "auto", "textMode": "auto", "reduceOptions": last,
                }),
            ),
            Kind::Lines | Kind::Areas => (
                "timeseries",
                json!({
                    "legend": {"displayMode": "table", "placement": "right", "showLegend": true,
                               "calcs": ["lastNotNull", "max"], "sortBy": "Last *", "sortDesc": true},
                    "tooltip": {"mode": "multi", "sort": "desc"},
                }),
            ),
            Kind::States => (
                "state-timeline",
                json!({
                    "alignValue": "left", "mergeValues": true, "rowHeight": 0.8, "showValue": "never",
                    "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true},
                    "tooltip": {"mode": "single", "sort": "none"},
                }),
            ),
            Kind::Table => (
                "table",
                json!({
                    "showHeader": true, "cellHeight": "sm",
                    "sortBy": [{"displayName": "Value", "desc": true}],
                    "footer": {"show": false, "reducer": ["sum"], "countRows": false, "fields": ""},
                }),
            ),
        }
    }

    fn defaults(&self) -> Value {
        // Blue and orange of Okabe and Ito's palette, which colour-blind people can tell apart.
        let mut defaults = json!({
            "unit": self.unit,
            "color": {"mode": if self.words.is_some() { "thresholds" } else { "palette-classic" }},
            "thresholds": {"mode": "absolute", "steps": [
                {"color": "#0072B2", "value": null}, {"color": "#E69F00", "value": 1},
            ]},
            "mappings": [],
        });
        if let Some([no, yes]) = self.words {
            defaults["mappings"] = json!([{"type": "value", "options": {
                "0": {"text": no, "color": "#0072B2", "index": 0},
                "1": {"text": yes, "color": "#E69F00", "index": 1},
            }}]);
        }
        if matches!(self.kind, Kind::Lines | Kind::Areas) {
            let areas = self.kind == Kind::Areas;
            if self.from_zero {
                defaults["min"] = json!(0);
            }
            defaults["custom"] = json!({
                "drawStyle": "line", "lineWidth": 1, "fillOpacity": if areas { 25 } else { 0 },
                "showPoints": "never", "spanNulls": false, "lineInterpolation": "stepAfter",
                "stacking": {"mode": if areas { "normal" } else { "none" }, "group": "A"},
            });
        }
        defaults
    }

    /// Thresholds and baselines are dashed, estimates finely, so that colour is not the only sign.
    fn overrides(&self) -> Value {
        let limit = json!({"mode": "fixed", "fixedColor": "#D55E00"});
        let styles = [
            ("threshold", "dash", [10, 10], Some(&limit)),
            ("baseline", "dash", [10, 10], Some(&limit)),
            ("estimated", "dash", [4, 6], None),
        ];
        let has = |prefix: &str| self.targets.iter().any(|(_, l)| l.starts_with(prefix));
        let drawn = styles.iter().filter(|(prefix, ..)| has(prefix));
        let overrides =
            drawn
                .filter(|_| self.kind == Kind::Lines)
                .map(|(prefix, fill, dash, color)| {
                    let mut properties = vec![
                        json!({"id": "custom.lineStyle", "value": {"fill": fill, "dash": dash}}),
                        json!({"id": "custom.lineWidth", "value": 2}),
                    ];
                    properties.extend(color.map(|color| json!({"id": "color", "value": color})));
                    json!({
                        "matcher": {"id": "byRegexp", "options": format!("^{prefix}.*")},
                        "properties": properties,
                    })
                });
        overrides.collect()
    }

    fn transformations(&self) -> Value {
        if self.kind == Kind::Table {
            json!([{"id": "organize", "options": {"excludeByName": {"Time": true}}}])
        } else {
            json!([])
        }
    }
}
